package dosim_test

func billingStories() []story { return nil }
