// A stand-in for a Terraform provider, for tests where the provider registry cannot be reached.
//
// It serves the schema that the real provider of the same name and version was recorded with, so that Terraform checks
// every block, argument, type and reference of a configuration, and it accepts every value: what a real provider checks
// beyond its schema (the form of an identifier, the list of regions) is not checked here. It makes nothing outside a world of its own (world.go): `terraform
// test` mocks plans and applies by itself, and to configure the provider for a real one is an error.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

//go:embed schemas.json.gz
var recorded []byte

// The shapes below are those of `terraform providers schema -json`.

type attribute struct {
	Type      json.RawMessage `json:"type"`
	Required  bool            `json:"required"`
	Optional  bool            `json:"optional"`
	Computed  bool            `json:"computed"`
	Sensitive bool            `json:"sensitive"`
	WriteOnly bool            `json:"write_only"`
	Old       bool            `json:"deprecated"`
}

type nestedBlock struct {
	Nesting  string `json:"nesting_mode"`
	Block    block  `json:"block"`
	MinItems int64  `json:"min_items"`
	MaxItems int64  `json:"max_items"`
}

type block struct {
	Attributes map[string]attribute   `json:"attributes"`
	Blocks     map[string]nestedBlock `json:"block_types"`
}

type schema struct {
	Version int64 `json:"version"`
	Block   block `json:"block"`
}

type provider struct {
	Provider    schema            `json:"provider"`
	Resources   map[string]schema `json:"resource_schemas"`
	DataSources map[string]schema `json:"data_source_schemas"`
}

var nesting = map[string]tfprotov6.SchemaNestedBlockNestingMode{
	"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
	"group":  tfprotov6.SchemaNestedBlockNestingModeGroup,
	"list":   tfprotov6.SchemaNestedBlockNestingModeList,
	"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
	"map":    tfprotov6.SchemaNestedBlockNestingModeMap,
}

// read returns the recorded schema of the provider whose name ends in `/name`.
func read(name string) (provider, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(recorded))
	if err != nil {
		return provider{}, err
	}
	var all struct {
		Providers map[string]provider `json:"provider_schemas"`
	}
	if err := json.NewDecoder(unzipped).Decode(&all); err != nil {
		return provider{}, err
	}
	for address, found := range all.Providers {
		if strings.HasSuffix(address, "/"+name) {
			return found, nil
		}
	}
	return provider{}, fmt.Errorf("no schema of the provider %q was recorded", name)
}

func (b block) wire() (*tfprotov6.SchemaBlock, error) {
	result := &tfprotov6.SchemaBlock{}
	for name, a := range b.Attributes {
		if len(a.Type) == 0 {
			return nil, fmt.Errorf("the attribute %q has nested attributes, which no schema had when this was written", name)
		}
		kind, err := tftypes.ParseJSONType(a.Type) //nolint:staticcheck // the only reader of the recorded form
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		result.Attributes = append(result.Attributes, &tfprotov6.SchemaAttribute{Name: name, Type: kind, Required: a.Required,
			Optional: a.Optional, Computed: a.Computed, Sensitive: a.Sensitive, WriteOnly: a.WriteOnly, Deprecated: a.Old})
	}
	for name, nested := range b.Blocks {
		inner, err := nested.Block.wire()
		if err != nil {
			return nil, fmt.Errorf("%s.%w", name, err)
		}
		result.BlockTypes = append(result.BlockTypes, &tfprotov6.SchemaNestedBlock{TypeName: name, Block: inner,
			Nesting: nesting[nested.Nesting], MinItems: nested.MinItems, MaxItems: nested.MaxItems})
	}
	return result, nil
}

func (s schema) wire() (*tfprotov6.Schema, error) {
	inner, err := s.Block.wire()
	return &tfprotov6.Schema{Version: s.Version, Block: inner}, err
}

func wireAll(schemas map[string]schema) (map[string]*tfprotov6.Schema, error) {
	result := map[string]*tfprotov6.Schema{}
	for name, one := range schemas {
		wired, err := one.wire()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		result[name] = wired
	}
	return result, nil
}

// server answers what Terraform asks while it validates and mocks, and in a world (world.go) while it plans and applies. The embedded
// interface is nil: nothing else is asked.
type server struct {
	tfprotov6.ProviderServer
	schemas *tfprotov6.GetProviderSchemaResponse
	found   provider
}

func (s server) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return s.schemas, nil
}

func (s server) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (s server) ValidateProviderConfig(_ context.Context, request *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: request.Config}, nil
}

func (s server) ValidateResourceConfig(context.Context, *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return &tfprotov6.ValidateResourceConfigResponse{}, nil
}

func (s server) ValidateDataResourceConfig(context.Context, *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return &tfprotov6.ValidateDataResourceConfigResponse{}, nil
}

func (s server) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

func (s server) ConfigureProvider(context.Context, *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	if world != "" {
		return &tfprotov6.ConfigureProviderResponse{}, nil
	}
	return &tfprotov6.ConfigureProviderResponse{Diagnostics: []*tfprotov6.Diagnostic{{Severity: tfprotov6.DiagnosticSeverityError,
		Summary: "A stand-in provider plans and makes nothing", Detail: "Install the real provider, with `terraform init` where Terraform's registry can be reached."}}}, nil
}

func serve() error {
	// The file is named terraform-provider-<name>_v<version>.
	name, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(os.Args[0]), "terraform-provider-"), "_")
	found, err := read(name)
	if err != nil {
		return err
	}
	own, err := found.Provider.wire()
	if err != nil {
		return err
	}
	resources, err := wireAll(found.Resources)
	if err != nil {
		return err
	}
	sources, err := wireAll(found.DataSources)
	if err != nil {
		return err
	}
	answer := &tfprotov6.GetProviderSchemaResponse{Provider: own, ResourceSchemas: resources, DataSourceSchemas: sources}
	return tf6server.Serve("hashicorp/"+name, func() tfprotov6.ProviderServer { return server{schemas: answer, found: found} })
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
