"""What tests steer: recipes, each with a change that is drawn at random."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

TIMES = 5
"""How often a run is steered."""

PAINTED = """
t2iflow: 1
params: {smooth: 0.1}
nodes:
  photo:  {use: images.noise, size: [24, 16], kind: fractal}
  canvas: {use: canvas.pixels, size: [24, 16]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  even:   {use: losses.total_variation, image: $canvas}
  fit:    {use: optimizers.adam, image: $canvas, loss: [$same, {of: $even, weight: $smooth}], rate: RATE, steps: 150}
  sheet:  {use: output.strip, image: $canvas, every: 40}
  still:  {use: output.image, image: $fit}
"""
FILMED = """
t2iflow: 1
nodes:
  photo:  {use: images.noise, size: [24, 16], kind: fractal}
  canvas: {use: canvas.pixels, size: [24, 16]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  fit:    {use: optimizers.adam, image: $canvas, loss: $same, rate: RATE, steps: 12}
  zoom:   {use: camera.zoom, image: $fit, frames: 14, steps: 3, hold: 0.4, scale: {0: 0.9, 100%: 1.1}}
  film:   {use: output.video, image: $zoom}
  still:  {use: output.image, image: $fit}
"""
ASKED = """
t2iflow: 1
params: {prompt: a red fox}
nodes:
  clip:         {use: clip.model}
  words:        {use: clip.text, clip: $clip, prompt: $prompt}
  sketch:       {use: canvas.pixels, size: [16, 16]}
  sketch-cuts:  {use: cutouts.square, image: $sketch, count: 1, size: 32}
  sketch-seen:  {use: clip.look, crops: $sketch-cuts, clip: $clip}
  sketch-score: {use: losses.spherical, seen: $sketch-seen, wanted: $words}
  draft:        {use: optimizers.adam, image: $sketch, loss: [$sketch-score], rate: 0.05, steps: 12}
  canvas:       {use: canvas.pixels, size: [24, 24], init: $draft}
  cuts:         {use: cutouts.square, image: $canvas, count: 1, size: 32}
  seen:         {use: clip.look, crops: $cuts, clip: $clip}
  score:        {use: losses.spherical, seen: $seen, wanted: $words}
  fit:          {use: optimizers.adam, image: $canvas, loss: [$score], rate: RATE, steps: 12}
  still:        {use: output.image, image: $fit}
"""
RATES = (
    "0.05",
    "{0: 0.05, 100%: 0.01}",
    "{0: 0.02, 5: 0.1, 100%: 0.01, ease: smooth}",
    "{0: 0.1, 8: 0.05, 20: 0.01, ease: hold}",
    "0.05 + 0.04*sin(t/3)",
)
PROMPTS = ("a castle", "an owl", "a lighthouse", "a volcano", "a red fox")


@dataclass(frozen=True)
class Course:
    """A recipe, and what of it is steered: a change drawn at random; `longer` makes of it a run of many seconds."""

    name: str
    recipe: str
    longer: Mapping[str, str]
    change: Callable[[random.Random], str]

    def text(self, chance: random.Random, is_long: bool = False) -> str:
        """The recipe, with a rate drawn at random."""
        text = self.recipe.replace("RATE", chance.choice(RATES))
        for short, long in self.longer.items() if is_long else ():
            text = text.replace(short, long)
        return text


LONG_PICTURE = {"steps: 150": "steps: 16000", "every: 40": "every: 4000"}
LONG_FILM = {"frames: 14": "frames: 600"}
COURSES = (
    Course("a prompt", ASKED, {"steps: 12": "steps: 300"}, lambda chance: f"prompt={chance.choice(PROMPTS)}"),
    Course("a rate", PAINTED, LONG_PICTURE, lambda chance: f"fit.rate={chance.uniform(0.005, 0.2):.4f}"),
    Course("a weight by a param", PAINTED, LONG_PICTURE, lambda chance: f"smooth={chance.uniform(0, 3):.4f}"),
    Course("a loss's weight", PAINTED, LONG_PICTURE, lambda chance: f"fit.loss.same={chance.uniform(0.1, 3):.4f}"),
    Course("a camera's scale", FILMED, LONG_FILM, lambda chance: f"zoom.scale={chance.uniform(0.8, 1.2):.4f}"),
    Course("a film's rate", FILMED, LONG_FILM, lambda chance: f"fit.rate={chance.uniform(0.005, 0.2):.4f}"),
)
