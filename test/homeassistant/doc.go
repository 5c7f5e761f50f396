// Package homeassistant checks with a real Home Assistant what it makes of what the program publishes (make ha-check).
package homeassistant
