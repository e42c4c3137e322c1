package dosim_test

func networkStories() []story { return nil }
