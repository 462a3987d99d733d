"""A package, or flow_matching, which installs its own tests by this name, would hide it."""
