"""From a run folder to verified GGUFs; what is unchanged is not done twice."""
