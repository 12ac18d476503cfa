"""The stages of a run.

The function of a stage takes a `Work`, writes the stage's files, if it has any, and returns figures. The functions that
measure a model also take the model and its label. The run keeps the figures in the stage's marker, stages/NAME.json.
"""
