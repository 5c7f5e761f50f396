package api

import (
	"context"

	"edgelens"
)

// ListSettings implements StrictServerInterface.
func (s *Server) ListSettings(context.Context, ListSettingsRequestObject) (ListSettingsResponseObject, error) {
	list := SettingList{Settings: []Setting{}}
	for _, setting := range s.settings() {
		list.Settings = append(list.Settings, Setting{
			Key: setting.Key, Help: setting.Help, Type: SettingType(setting.Type), Value: setting.Value, Default: setting.Default,
			Masked: setting.Masked, Source: SettingSource(setting.Source),
		})
	}
	return ListSettings200JSONResponse{Body: list, Headers: ListSettings200ResponseHeaders{CacheControl: "no-store"}}, nil
}

func noSettings() []edgelens.Setting { return nil }
