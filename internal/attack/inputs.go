package main

// inputs are the kinds of bad input that the probes name by their numbers: what has broken programs
// of this kind, or could. A test sees to it that each is tried.
var inputs = map[int]string{
	1: "no signature", 2: "no time of a signature", 3: "the signature of another body", 4: "a signature that is too old", 5: "a signature of the future", 6: "a time of eleven digits", 7: "a time at the end of 64 bits", 8: "a time before 1970", 9: "a time that is no plain number",
	10: "a signature without its version", 11: "a signature in another form", 12: "the same request twice", 13: "a body that is written otherwise", 14: "two signatures", 15: "a packed body", 16: "a body without bounds", 17: "two payloads", 18: "another workspace or app", 19: "somebody who may not", 20: "an incident that is not there",
	21: "an address to answer that is nobody's", 22: "Slack looking at the certificate", 23: "an empty secret", 24: "a call to a channel", 25: "a call to people", 26: "a link as text", 27: "what is escaped already", 28: "a backtick that breaks out", 29: "a line of one's own", 30: "characters that steer",
	31: "a label without bounds", 32: "a message beyond Slack's limits", 33: "a link that breaks out", 34: "a link that is a script", 35: "a value that breaks out of a selector", 36: "quotes and backslashes in a value", 37: "an expression where a value is meant", 38: "a name that no label may have", 39: "a metric with quotes in its name", 40: "a query of another type",
	41: "a query that makes up or costs", 42: "a range of years", 43: "a subquery of tiny steps", 44: "a comment that hides the rest", 45: "a template in a label", 46: "markup in a label", 47: "the end of a script", 48: "a path that leaves", 49: "an ID without bounds or with NUL", 50: "a form of another site",
	51: "JSON of another site", 52: "GET to change something", 53: "another method in a header", 54: "another host", 55: "another address in a header", 56: "slow requests", 57: "a header without bounds", 58: "streams that are reset", 59: "two requests in one", 60: "pages for developers",
	61: "a bomb of aliases", 62: "an anchor that holds itself", 63: "nesting without bounds", 64: "tags and merge keys", 65: "keys and numbers that are read in two ways", 66: "a window that is none", 67: "a file that is none", 68: "a secret beside a mistake", 69: "an address that is none of the web", 70: "an answer without bounds",
	71: "a redirect", 72: "an answer that is none", 73: "a sample that cannot be",
}
