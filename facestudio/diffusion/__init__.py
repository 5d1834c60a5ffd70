"""What diffusers' schedulers do not give (DifFace's start step, LAFR's one step) will stand here, one floor below methods."""
