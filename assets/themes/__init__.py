"""The app's themes, one TOML file each."""
