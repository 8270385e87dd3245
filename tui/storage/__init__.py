"""Files and databases that survive kill -9, shared by the app's services and the engine."""
