"""Arguments in: the parser, its options and examples, and the settings that the arguments add up to."""
