package dosim

func billingResources() []resource { return nil }
