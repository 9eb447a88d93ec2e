from tests.pipeline.animate.conftest import credentials_of_the_tests  # noqa: F401 (a fixture, for all tests here)
