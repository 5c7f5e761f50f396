package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"edgelens"
)

const (
	minTTL = 2 * time.Second
	maxTTL = 24 * time.Hour
	// maxObjectBytes is the maximum size of a body of the calls about devices.
	maxObjectBytes = 64 << 10
)

// deviceRoutes accept a small JSON object, with any Content-Type, or no body, and have
// consequences at a door, for what is delivered to sinks, or for all clients.
var deviceRoutes = map[string]bool{
	"/": true, "/api/devices/:id": true, "/api/devices/:id/commands": true, "/api/outbox/retry": true,
	"/api/models/:name/load": true, "/api/models/:name/unload": true,
	"/api/datasets/:name": true, "/api/datasets/:name/embed": true, "/api/datasets/:name/examples/:id": true,
}

// SendCommand implements StrictServerInterface.
func (s *Server) SendCommand(ctx context.Context, r SendCommandRequestObject) (SendCommandResponseObject, error) {
	if err := checkUse(ctx, r.Id); err != nil {
		return nil, err
	}
	command, err := s.send(ctx, r.Id, r.Params.Ttl, r.Body)
	if err != nil {
		return nil, err
	}
	id, err := uuid.Parse(command.ID)
	if err != nil {
		return nil, fmt.Errorf("accept the command: %w", err)
	}
	url := "/api/devices/" + command.Device + "/commands/" + command.ID
	return SendCommand202JSONResponse{
		Body:    AcceptedCommand{CommandId: id, Status: CommandStatus(command.Status), StatusUrl: url},
		Headers: SendCommand202ResponseHeaders{Location: url, RetryAfter: pollAfter},
	}, nil
}

// SendToDefault implements StrictServerInterface.
func (s *Server) SendToDefault(ctx context.Context, r SendToDefaultRequestObject) (SendToDefaultResponseObject, error) {
	device, err := s.defaultDevice(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.send(ctx, device, r.Params.Ttl, r.Body); err != nil {
		return nil, err
	}
	return SendToDefault200TextResponse("ok"), nil
}

// defaultDevice returns the device of a command without one: "" leaves it to Devices, and a key that is bounded to
// devices needs to know.
func (s *Server) defaultDevice(ctx context.Context) (string, error) {
	if len(keyFrom(ctx).Devices) == 0 {
		return "", nil
	}
	device, err := s.devices.DefaultDevice(ctx)
	if err != nil {
		return "", err
	}
	return device, mayUseDevice(ctx, device)
}

func (s *Server) send(ctx context.Context, device string, ttl *string, body io.Reader) (edgelens.Command, error) {
	wait, err := readTTL(ttl)
	if err != nil {
		return edgelens.Command{}, err
	}
	object, err := readObject(body, `the body must be a JSON object in the terminal's own words, such as {"cmd":"open"}`)
	if err != nil {
		return edgelens.Command{}, err
	}
	return s.devices.Send(ctx, device, object, wait)
}

// readTTL parses a duration, or a plain number of seconds; 0 is the default.
func readTTL(text *string) (time.Duration, error) {
	if text == nil {
		return 0, nil
	}
	ttl, ok := parseDuration(*text)
	if !ok || ttl < minTTL || ttl > maxTTL {
		return 0, fmt.Errorf(`%w: ttl must be a duration of 2s to 24h such as "30s", not %q`, edgelens.ErrInvalid, short(*text))
	}
	return ttl, nil
}

// readObject reads a JSON object; wanted describes the expected one. A repeated member,
// at any depth, is an error: readers differ in which one counts.
func readObject(body io.Reader, wanted string) (json.RawMessage, error) {
	text, err := io.ReadAll(body) // bounded by boundUploads
	if err != nil {
		return nil, bodyError(err)
	}
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("{")) || !json.Valid(text) || !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: %s", edgelens.ErrInvalid, wanted)
	}
	if name, twice := repeatedName(text); twice {
		return nil, fmt.Errorf("%w: the JSON has the member %q twice in an object; send it once", edgelens.ErrInvalid, short(name))
	}
	return text, nil
}

// GetCommand implements StrictServerInterface.
func (s *Server) GetCommand(ctx context.Context, r GetCommandRequestObject) (GetCommandResponseObject, error) {
	if err := checkUse(ctx, r.Id); err != nil {
		return nil, err
	}
	command, err := s.devices.Command(ctx, r.CommandId.String())
	if err != nil {
		return nil, err
	}
	if command.Device != r.Id {
		return nil, fmt.Errorf("%w: device %s has no command with this id", edgelens.ErrNotFound, r.Id)
	}
	return GetCommand200JSONResponse(newCommand(command)), nil
}

// ListDeviceCommands implements StrictServerInterface.
func (s *Server) ListDeviceCommands(ctx context.Context, r ListDeviceCommandsRequestObject) (ListDeviceCommandsResponseObject, error) {
	if err := checkUse(ctx, r.Id); err != nil {
		return nil, err
	}
	limit, err := briefLimit(r.Params.Limit)
	if err != nil {
		return nil, err
	}
	commands, err := s.devices.DeviceCommands(ctx, r.Id, limit)
	if err != nil {
		return nil, err
	}
	list := ListDeviceCommands200JSONResponse{Commands: make([]Command, 0, len(commands))}
	for _, command := range commands {
		list.Commands = append(list.Commands, newCommand(command))
	}
	return list, nil
}

func newCommand(c edgelens.Command) Command {
	return Command{
		Id: parsed(c.ID), Device: c.Device, Body: c.Body, Status: CommandStatus(c.Status), Detail: optional(c.Detail),
		CreatedAt: c.CreatedAt, Deadline: c.Deadline, SentAt: timeOrNil(c.SentAt), FinishedAt: timeOrNil(c.FinishedAt),
	}
}
