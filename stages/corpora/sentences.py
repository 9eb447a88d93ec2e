"""What is spoken: neutral sentences about things, weather, kitchens and numbers, in the spirit of balanced lists.

Nothing here is a statement that a person shown could be taken to have made: no "I", no opinion, no person. Each is
10 to 13 words, about three to five seconds, with all of p b m, f v, w, th, sh, and the vowels spread over the list.
The held-out ones are spoken in HDTF alone.
"""

from __future__ import annotations

SENTENCES = (
    "The blue cup stands beside a small copper kettle near the window.",
    "Warm rain fell over the valley before the morning fog moved away.",
    "Five brown boxes of paper were stacked under the wooden bench outside.",
    "A pinch of salt and two spoons of butter go into the pan.",
    "The ferry leaves the pier at seven and crosses the bay in an hour.",
    "Green apples and plums fill the basket on the round kitchen table.",
    "Heavy snow covered the bridge, so the plow worked through the evening.",
    "Three thin wires run from the lamp to the switch above the door.",
    "Most of the maple leaves turn yellow by the middle of the autumn.",
    "The baker puts flour, yeast and water into a very large bowl.",
    "Bus number forty two stops by the museum every fifteen minutes.",
    "A gray pigeon sat upon the roof of the old market hall.",
    "Boil the beans for ten minutes, then pour off half of the water.",
    "The map shows a narrow path between the lake and the pine forest.",
    "Fresh mint and lemon make a simple summer drink with plenty of ice.",
    "Pale smoke rose from the chimney while the wind moved to the west.",
    "Nine shiny buttons were sewn along the front of the velvet coat.",
    "The piano by the far wall has eighty eight black and white keys.",
    "Both wheels of the bicycle should be pumped up before a long ride.",
    "Soft clay can be shaped by hand and baked in a hot oven.",
    "A wooden ladder leans against the barn beside a pile of firewood.",
    "The museum opens at nine and closes at half past five on Monday.",
    "Cherry trees bloom early when the month of March is warm and bright.",
    "Put the brush, the paint and the paper back upon the middle shelf.",
    "The tower clock struck twelve as the first boats left the harbor.",
    "Thick soup with barley, beef and mushrooms simmers on the back burner.",
    "Fourteen steps lead from the garden gate up to the front porch.",
    "Copper pipes bring hot water from the boiler to the bathroom above.",
    "The weather map shows a patch of cloud moving over the northern coast.",
    "A good bread knife has a long blade and a firm wooden handle.",
    "Every platform of the station has a bench, a map and a lamp.",
    "Purple grapes and fresh figs were put into a shallow white dish.",
    "The river bends sharply below the mill and flows on to the sea.",
    "Two cups of rice need about four cups of water and some salt.",
    "The tall poplar trees beside the field bend in a strong breeze.",
    "A box of matches and six candles were left in the pantry.",
    "Fog is a cloud that forms at the very bottom of the air.",
    "The wool is washed, combed, spun into yarn and wound on a bobbin.",
    "Page sixty of the cook book shows a plain bean and potato stew.",
    "The pump moves five barrels of fresh water up the hill each morning.",
    "Silver spoons should be wiped with a soft cloth and put away dry.",
    "Above the stove hangs a row of pots, pans and wide iron lids.",
    "The moving van is parked between the bakery and the flower shop.",
    "A small pebble rolled off the path and splashed into the brook.",
    "Ripe tomatoes, basil and pepper make up most of this simple sauce.",
    "The big drum is made of maple wood and covered with smooth skin.",
    "Thirty seven pages of the booklet were printed on plain brown paper.",
    "Light from the lamp by the window falls upon the chess board.",
    "The potter wheel turns slowly while wet clay becomes a wide bowl.",
    "Above the valley, the moon rose between a few thin silver clouds.",
    "Bake the pie for forty minutes and let it cool by the window.",
    "The paper boat floated past the bridge and over the small waterfall.",
    "A yellow umbrella and a pair of boots stood in the front hall.",
    "Peas, beans, beets and pumpkins grow in rows behind the brick wall.",
    "The library has four floors, a reading room and a map collection.",
    "Smooth stones from the beach were placed around the flower bed.",
    "The next tram to the harbor leaves from platform two in six minutes.",
    "Pepper, thyme and bay leaf give the broth a warm and mild flavor.",
    "A broad beam of oak supports the roof above the main chamber.",
    "The thermometer by the barn showed eleven degrees above freezing point.",
    "White foam formed along the shore as the wave broke over the sand.",
    "The brown puppet has movable arms and a hat made of blue felt.",
    "Chop the onion finely and fry it in butter for about three minutes.",
    "Two amber lamps mark the place where the path meets the bridge.",
)

HELD_OUT = (
    "A vase of poppies and ferns was moved from the porch to the piano.",
    "The old mill by the pond grinds wheat and barley from the farm.",
    "Sixteen plain wooden beads hang from a thin thread above the map.",
    "Pour the warm milk over the oats and mix them with a fork.",
    "The path behind the chapel climbs past five broad beech trees.",
    "Blue ink, a brass pen and white paper lay upon the bureau.",
    "Most of the boats in the harbor were painted before the summer.",
    "Pumpkin soup with ginger and apple simmers for half an hour.",
)


def corpus_sentence(number: int) -> str:
    """Sentence of the `number`-th utterance; the list starts again when it is used up."""
    return SENTENCES[number % len(SENTENCES)]


def held_out_sentence(number: int) -> str:
    """The same for the held-out list."""
    return HELD_OUT[number % len(HELD_OUT)]
