"""The stages of a run.

The function of each stage takes a `Work`, writes the stage's files, and returns figures. The functions that measure a
model also take the model and its label. The run keeps the figures in the stage's marker, stages/NAME.json.
"""
