"""The dataservice, asked over HTTP."""
