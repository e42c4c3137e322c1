package inventory

// Charges are what DigitalOcean bills a resource for, with the price of each at the
// time of its version; none for what is free and for what is gone without a document.
func (r Resource) Charges() ([]PricedCharge, error) {
	k := KindNamed(r.Kind)
	if k == nil || r.Doc == nil {
		return nil, nil
	}
	d, err := ParseDoc(r.Doc)
	if err != nil {
		return nil, err
	}
	d.Parent = r.Parent
	return Prices().priced(k, d, r.At), nil
}

// Plus is what two costs come to.
func (c Cost) Plus(o Cost) Cost {
	c.add(o)
	return c
}
