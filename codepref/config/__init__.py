"""Recipes, pools of models and prompt templates: the settings that codepref reads from files."""
