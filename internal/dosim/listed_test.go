package dosim_test

func listedStories() []story { return nil }
