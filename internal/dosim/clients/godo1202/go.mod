module github.com/arcadia-cloud/arcadia/internal/dosim/clients/godo1202

go 1.26.0

// The godo that doctl and the official Terraform provider are built with.
replace github.com/digitalocean/godo => github.com/digitalocean/godo v1.202.0

replace github.com/arcadia-cloud/arcadia => ../../../..

require github.com/arcadia-cloud/arcadia v0.0.0-00010101000000-000000000000

require (
	github.com/digitalocean/godo v1.236.0 // indirect
	github.com/google/go-querystring v1.1.0 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.7 // indirect
	golang.org/x/oauth2 v0.27.0 // indirect
	golang.org/x/time v0.6.0 // indirect
)
