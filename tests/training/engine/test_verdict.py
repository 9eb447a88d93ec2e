import pytest

from training.engine.verdict import is_best, validations_since_best, verdict


def rows(*validation, loss=(1.0, 0.5)):
    made = [{"step": i + 1, "loss_expression": loss[0] if i == 0 else loss[1]} for i in range(max(4, len(validation)))]
    for row, value in zip(made, validation, strict=False):
        row |= {"validation_loss": value, "validation_expression": value, "validation_wrong_speech": 2 * value}
    return made


def by_r(*validation):
    """Validations whose loss goes on falling."""
    return [{"step": i + 1, "validation_loss": 1.0 - 0.1 * i, "validation_r": r} for i, r in enumerate(validation)]


def test_the_first_of_equal_validations_is_the_best():
    assert is_best(rows(3.0, 2.0, 2.5, 1.0)[:4])
    assert not is_best(rows(1.0, 2.0, 2.0, 1.0)[:4])
    assert is_best(by_r(0.2, 0.1, 0.3), "r") and not is_best(by_r(0.2, 0.3, 0.3), "r")
    assert not is_best([]) and not is_best([{"step": 1, "loss_expression": 1.0}])


@pytest.mark.parametrize(("losses", "share", "since"), [
    ((1.0, 0.9, 0.8), 0.0, 0), ((1.0, 0.9, 0.95, 0.9), 0.0, 2), ((1.0, 0.995, 0.99, 0.985), 0.02, 3),
    ((1.0, 0.97, 0.96), 0.02, 1)])
def test_validations_without_progress_are_counted(losses, share, since):
    assert validations_since_best(rows(*losses), share) == since


def test_of_few_clips_r_may_be_asked_instead():
    assert validations_since_best(by_r(0.38, 0.37, 0.3), 0.0, "r") == 2 and not validations_since_best(
        by_r(0.38, 0.37, 0.3), 0.0)
    assert validations_since_best(by_r(-0.1, -0.05, 0.2), 0.001, "r") == 0


def test_a_run_whose_loss_stays_learned_nothing():
    found = verdict([{"step": i, "loss_expression": 1.0} for i in range(5)], 0.02)
    assert not found.learned and found.sentence.startswith("LEARNED NOTHING: the expression loss fell by 0%")


def test_a_fine_tuning_passes_by_what_the_wrong_speech_costs():
    found = verdict(rows(1.0, 1.0, 1.0, 1.0, loss=(1.0, 1.0)), 0.02)
    assert found.learned and found.shares == {"loss_fell": 0.0, "speech_matters": 0.5}
    deaf = rows(1.0, loss=(1.0, 1.0))
    deaf[0]["validation_wrong_speech"] = 1.0
    found = verdict(deaf, 0.02)
    assert not found.learned and "the speech makes no difference" in found.sentence


def test_stage_two_is_judged_by_the_wrong_emotion():
    history = rows(1.0, loss=(1.0, 1.0))
    history[0]["validation_wrong_emotion"] = 1.0
    assert not verdict(history, 0.02).learned
