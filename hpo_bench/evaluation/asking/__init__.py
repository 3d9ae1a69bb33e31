"""How examples are put to a model: chat templates, prompts, and the thoughts that some models write first."""
