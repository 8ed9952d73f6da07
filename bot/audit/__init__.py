"""The log as proof: checkpoints, exports, checks, samples, trimming."""
