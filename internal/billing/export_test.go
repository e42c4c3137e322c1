package billing

// AppendJSON is for the tests of another package.
func (i *Invoice) AppendJSON(b []byte) []byte { return i.appendJSON(b) }
