"""The whole job on the sample papers or one's own: the guide in the app, the run without one."""

from tui.quickstart.guide import STEPS, Guide, Progress, Step, StepId

__all__ = ["STEPS", "Guide", "Progress", "Step", "StepId"]
