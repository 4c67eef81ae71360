// Where STAND_IN_WORLD names a folder, a stand-in keeps what it makes there, a JSON file a resource, so that plan, apply and destroy
// run as they do against a service: what it decides itself is known only after apply, a file that is gone is gone, an edited one has
// drifted. `faults.json` in that folder makes it fail or take its time: {"fail": {TYPE: MESSAGE}, "pause": {TYPE: SECONDS}}.
package main

import (
	"context"
	"crypto/sha1" //nolint:gosec // names, not secrets
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// world is the folder, or empty where the stand-in only validates.
var world = os.Getenv("STAND_IN_WORLD")

// replacing names the attributes that a resource cannot change while it lives.
var replacing = []string{"name", "location", "resource_group_name", "display_name", "scope", "principal_id", "storage_account_id"}

type faults struct {
	Fail  map[string]string  `json:"fail"`
	Pause map[string]float64 `json:"pause"`
}

func wrong(err error) []*tfprotov6.Diagnostic {
	return []*tfprotov6.Diagnostic{{Severity: tfprotov6.DiagnosticSeverityError, Summary: err.Error()}}
}

// each returns a block's value with every attribute as `change` makes it.
func (b block) each(value tftypes.Value, change func(string, attribute, tftypes.Value) tftypes.Value) (tftypes.Value, error) {
	if value.IsNull() || !value.IsKnown() {
		return value, nil
	}
	parts := map[string]tftypes.Value{}
	if err := value.As(&parts); err != nil {
		return value, err
	}
	for name, a := range b.Attributes {
		parts[name] = change(name, a, parts[name])
	}
	for name, nested := range b.Blocks {
		changed, err := nested.each(parts[name], change)
		if err != nil {
			return value, fmt.Errorf("%s: %w", name, err)
		}
		parts[name] = changed
	}
	return tftypes.NewValue(value.Type(), parts), nil
}

func (n nestedBlock) each(value tftypes.Value, change func(string, attribute, tftypes.Value) tftypes.Value) (tftypes.Value, error) {
	if n.Nesting == "single" || n.Nesting == "group" || value.IsNull() || !value.IsKnown() {
		return n.Block.each(value, change)
	}
	items := []tftypes.Value{}
	if err := value.As(&items); err != nil {
		return value, err
	}
	for i, item := range items {
		changed, err := n.Block.each(item, change)
		if err != nil {
			return value, err
		}
		items[i] = changed
	}
	return tftypes.NewValue(value.Type(), items), nil
}

// unknownUntilMade leaves what the service decides open.
func unknownUntilMade(_ string, a attribute, value tftypes.Value) tftypes.Value {
	if a.Computed && value.IsNull() {
		return tftypes.NewValue(value.Type(), tftypes.UnknownValue)
	}
	return value
}

func digest(texts ...string) string {
	return fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(texts, "\n")))) //nolint:gosec // names, not secrets
}

func guid(text string) string {
	d := digest(text)
	return d[:8] + "-" + d[8:12] + "-" + d[12:16] + "-" + d[16:20] + "-" + d[20:32]
}

// decided returns a function that decides what is still open, the same for the same resource.
func decided(kind, key, hash string) func(string, attribute, tftypes.Value) tftypes.Value {
	return func(name string, a attribute, value tftypes.Value) tftypes.Value {
		if value.IsKnown() && !(a.Computed && value.IsNull()) {
			return value
		}
		switch t := value.Type(); {
		case t.Is(tftypes.String):
			text := name + " of " + key
			switch {
			case a.Sensitive:
				text = "sensitive-" + digest(hash, name)
			case name == "id":
				text = "/" + kind + "/" + key + "-" + hash[:8]
			case name == "workspace_url":
				text = "adb-" + hash[:8] + ".0.azuredatabricks.net"
			case strings.HasSuffix(name, "_id"):
				text = guid(hash + name)
			case strings.HasSuffix(name, "_host"):
				text = key + ".example.net"
			}
			return tftypes.NewValue(t, text)
		case t.Is(tftypes.Bool):
			return tftypes.NewValue(t, false)
		case t.Is(tftypes.Number):
			return tftypes.NewValue(t, 1)
		case t.Is(tftypes.List{}), t.Is(tftypes.Set{}):
			return tftypes.NewValue(t, []tftypes.Value{})
		case t.Is(tftypes.Map{}):
			return tftypes.NewValue(t, map[string]tftypes.Value{})
		default:
			return tftypes.NewValue(t, nil)
		}
	}
}

// plain returns a value as encoding/json writes it; what is unknown is null.
func plain(value tftypes.Value) (any, error) {
	if value.IsNull() || !value.IsKnown() {
		return nil, nil
	}
	switch t := value.Type(); {
	case t.Is(tftypes.String):
		var text string
		err := value.As(&text)
		return text, err
	case t.Is(tftypes.Bool):
		var yes bool
		err := value.As(&yes)
		return yes, err
	case t.Is(tftypes.Number):
		number := big.NewFloat(0)
		err := value.As(&number)
		return json.Number(number.Text('f', -1)), err
	case t.Is(tftypes.Object{}), t.Is(tftypes.Map{}):
		parts, result := map[string]tftypes.Value{}, map[string]any{}
		if err := value.As(&parts); err != nil {
			return nil, err
		}
		for name, part := range parts {
			one, err := plain(part)
			if err != nil {
				return nil, err
			}
			result[name] = one
		}
		return result, nil
	default:
		parts, result := []tftypes.Value{}, []any{}
		if err := value.As(&parts); err != nil {
			return nil, err
		}
		for _, part := range parts {
			one, err := plain(part)
			if err != nil {
				return nil, err
			}
			result = append(result, one)
		}
		return result, nil
	}
}

// textOf returns a top-level attribute that is a known text, or nothing.
func textOf(value tftypes.Value, name string) string {
	parts, text := map[string]tftypes.Value{}, ""
	if value.IsNull() || value.As(&parts) != nil {
		return ""
	}
	if part, there := parts[name]; there && part.IsKnown() && !part.IsNull() && part.Type().Is(tftypes.String) {
		_ = part.As(&text)
	}
	return text
}

func file(kind string, value tftypes.Value) string {
	return filepath.Join(world, kind, digest(textOf(value, "id"))[:16]+".json")
}

func (s server) wireType(kind string) (tftypes.Type, error) {
	found, there := s.schemas.ResourceSchemas[kind]
	if !there {
		return nil, fmt.Errorf("no schema of %s was recorded", kind)
	}
	return found.ValueType(), nil
}

func (s server) UpgradeResourceState(_ context.Context, request *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	t, err := s.wireType(request.TypeName)
	if err != nil {
		return nil, err
	}
	value, err := request.RawState.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	state, err := tfprotov6.NewDynamicValue(t, value)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &state}, err
}

func (s server) ReadResource(_ context.Context, request *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	t, err := s.wireType(request.TypeName)
	if err != nil {
		return nil, err
	}
	value, err := request.CurrentState.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file(request.TypeName, value))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		value = tftypes.NewValue(t, nil)
	case err != nil:
		return nil, err
	default:
		if value, err = tftypes.ValueFromJSON(text, t); err != nil { //nolint:staticcheck // the only reader of JSON
			return nil, err
		}
	}
	state, err := tfprotov6.NewDynamicValue(t, value)
	return &tfprotov6.ReadResourceResponse{NewState: &state}, err
}

func (s server) PlanResourceChange(_ context.Context, request *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	t, err := s.wireType(request.TypeName)
	if err != nil {
		return nil, err
	}
	proposed, err := request.ProposedNewState.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	prior, err := request.PriorState.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	if proposed.IsNull() {
		return &tfprotov6.PlanResourceChangeResponse{PlannedState: request.ProposedNewState}, nil
	}
	planned, err := s.found.Resources[request.TypeName].Block.each(proposed, unknownUntilMade)
	if err != nil {
		return nil, err
	}
	response := &tfprotov6.PlanResourceChangeResponse{}
	before, after := map[string]tftypes.Value{}, map[string]tftypes.Value{}
	if !prior.IsNull() && prior.As(&before) == nil && planned.As(&after) == nil {
		for _, name := range replacing {
			if value, there := after[name]; there && !value.Equal(before[name]) {
				response.RequiresReplace = append(response.RequiresReplace, tftypes.NewAttributePath().WithAttributeName(name))
			}
		}
	}
	state, err := tfprotov6.NewDynamicValue(t, planned)
	response.PlannedState = &state
	return response, err
}

func (s server) ApplyResourceChange(_ context.Context, request *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	t, err := s.wireType(request.TypeName)
	if err != nil {
		return nil, err
	}
	planned, err := request.PlannedState.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	prior, err := request.PriorState.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	if err := happens(request.TypeName); err != nil {
		return &tfprotov6.ApplyResourceChangeResponse{NewState: request.PriorState, Diagnostics: wrong(err)}, nil
	}
	if planned.IsNull() {
		if err := os.Remove(file(request.TypeName, prior)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return &tfprotov6.ApplyResourceChangeResponse{NewState: request.PlannedState}, nil
	}
	made, err := s.make(request.TypeName, s.found.Resources[request.TypeName].Block, planned)
	if err != nil {
		return nil, err
	}
	if err := keep(file(request.TypeName, made), made); err != nil {
		return nil, err
	}
	state, err := tfprotov6.NewDynamicValue(t, made)
	return &tfprotov6.ApplyResourceChangeResponse{NewState: &state}, err
}

func (s server) ReadDataSource(_ context.Context, request *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	schema, there := s.schemas.DataSourceSchemas[request.TypeName]
	if !there {
		return nil, fmt.Errorf("no schema of %s was recorded", request.TypeName)
	}
	config, err := request.Config.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	read, err := s.make(request.TypeName, s.found.DataSources[request.TypeName].Block, config)
	if err != nil {
		return nil, err
	}
	state, err := tfprotov6.NewDynamicValue(schema.ValueType(), read)
	return &tfprotov6.ReadDataSourceResponse{State: &state}, err
}

// make returns a planned value with everything decided.
func (s server) make(kind string, b block, planned tftypes.Value) (tftypes.Value, error) {
	open, err := plain(planned)
	if err != nil {
		return planned, err
	}
	text, err := json.Marshal(open)
	if err != nil {
		return planned, err
	}
	hash := digest(kind, string(text))
	key := hash[:8]
	for _, name := range []string{"display_name", "name"} {
		if found := textOf(planned, name); found != "" {
			key = found
		}
	}
	return b.each(planned, decided(kind, key, hash))
}

func keep(path string, value tftypes.Value) error {
	content, err := plain(value)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// happens fails or waits where faults.json says so.
func happens(kind string) error {
	text, err := os.ReadFile(filepath.Join(world, "faults.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var told faults
	if err := errors.Join(err, json.Unmarshal(text, &told)); err != nil {
		return err
	}
	time.Sleep(time.Duration(told.Pause[kind] * float64(time.Second)))
	if message := told.Fail[kind]; message != "" {
		return errors.New(message)
	}
	return nil
}
