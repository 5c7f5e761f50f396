package cluster

import (
	"fmt"
	"slices"
	"strings"

	"edgelens/internal/clip"
)

// maxText bounds a text of the cluster in a reason, in bytes.
const maxText = 600

// reason returns why a pod is not ready, with what to do; "" if it is, or where its state has no reason.
func (p pod) reason() string {
	if ready, ok := find(p.Status.Conditions, "Ready"); ok && ready.Status == "True" {
		return ""
	}
	if scheduled, ok := find(p.Status.Conditions, "PodScheduled"); ok && scheduled.Status == "False" {
		return fmt.Sprintf("no node takes it (%s): %s%s", scheduled.Reason, brief(scheduled.Message), scheduling(scheduled.Message))
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if reason := s.reason(p.limitOf(s.Name)); reason != "" {
			return reason
		}
	}
	if p.Status.Phase == "Failed" {
		return fmt.Sprintf("it failed (%s): %s", p.Status.Reason, brief(p.Status.Message))
	}
	return ""
}

// scheduling returns what to do where no node takes a pod.
func scheduling(message string) string {
	switch {
	case strings.Contains(message, "Insufficient memory"):
		return "; give less memory, fewer replicas, or another node"
	case strings.Contains(message, "Insufficient cpu"):
		return "; give less cpu, fewer replicas, or another node"
	case strings.Contains(message, "PersistentVolumeClaim"), strings.Contains(message, "persistentvolumeclaim"):
		return "; the cluster needs a default StorageClass"
	}
	return ""
}

// limitOf returns the limit of memory of a container; "" where it has none.
func (p pod) limitOf(name string) string {
	for _, c := range p.Spec.Containers {
		if c.Name == name {
			return c.Resources.Limits["memory"]
		}
	}
	return ""
}

// reason returns why a container does not run; "" if it does, or where there is no reason. memory is its limit.
func (s containerStatus) reason(memory string) string {
	waiting := s.State.Waiting
	for _, last := range []*ending{s.State.Terminated, s.LastState.Terminated} {
		if last != nil && last.Reason == "OOMKilled" && !s.Ready {
			return fmt.Sprintf("it took more memory than its limit %s (OOMKilled), %s; give more memory", memory, restarts(s.RestartCount))
		}
	}
	switch {
	case waiting == nil && s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
		return s.State.Terminated.text(s.RestartCount)
	case waiting == nil, waiting.Reason == "ContainerCreating", waiting.Reason == "PodInitializing":
		return ""
	case slices.Contains([]string{"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}, waiting.Reason):
		return fmt.Sprintf("its image %s cannot be pulled (%s): %s; check its name, and the cluster's access to its registry", s.Image, waiting.Reason, brief(waiting.Message))
	case waiting.Reason == "CrashLoopBackOff" && s.LastState.Terminated != nil:
		return s.LastState.Terminated.text(s.RestartCount)
	case strings.HasPrefix(waiting.Reason, "CreateContainer"):
		return fmt.Sprintf("its container cannot be made (%s): %s; a Secret that the service names may be missing", waiting.Reason, brief(waiting.Message))
	}
	return fmt.Sprintf("its container waits (%s): %s", waiting.Reason, brief(waiting.Message))
}

func (e ending) text(times int64) string {
	text := brief(e.Message)
	if text == "" {
		text = "its log may have the reason: kubectl logs --previous"
	}
	return fmt.Sprintf("its container ended with status %d (%s), %s: %s", e.ExitCode, e.Reason, restarts(times), text)
}

func restarts(n int64) string {
	switch n {
	case 0:
		return "not restarted yet"
	case 1:
		return "restarted once"
	}
	return fmt.Sprintf("restarted %d times", n)
}

// eventReason returns the last warning of events; "" where there is none.
func eventReason(all []occurrence) string {
	var last occurrence
	for _, o := range all {
		if o.Type == "Warning" && !o.at().Before(last.at()) {
			last = o
		}
	}
	switch {
	case last.Reason == "":
		return ""
	case last.Reason == "FailedMount":
		return fmt.Sprintf("a volume is missing (FailedMount): %s; a Secret that the service names may not be there yet", brief(last.Message))
	case last.Reason == "Unhealthy":
		return fmt.Sprintf("it is not ready: %s", brief(last.Message))
	}
	return fmt.Sprintf("%s: %s", last.Reason, brief(last.Message))
}

// brief is a text of the cluster on one line, of which the end counts: there is the error of a log.
func brief(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxText {
		text = "..." + strings.ToValidUTF8(text[len(text)-maxText:], "")
	}
	return clip.Line(text, maxText+3)
}
