"""Arguments: the parser, its options and examples, and the settings that result from them."""
