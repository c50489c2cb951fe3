{{- define "dotstub.component" -}}
{{- if eq .Values.mode "node-local" }}node-local{{ else if eq .Values.mode "deployment" }}resolver{{ else }}{{ fail "mode is deployment or node-local" }}{{ end -}}
{{- end }}

{{- /* "yes" if clients are served over TLS. */ -}}
{{- define "dotstub.encrypted" -}}
{{- if .Values.encrypted.enabled }}{{ if ne .Values.mode "deployment" }}{{ fail "encrypted.enabled needs mode: deployment" }}{{ end }}yes{{ end -}}
{{- end }}

{{- define "dotstub.selector" -}}
app.kubernetes.io/name: dotstub
app.kubernetes.io/component: {{ include "dotstub.component" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dotstub.labels" -}}
{{ include "dotstub.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "dotstub.config" -}}
{{- $config := deepCopy .Values.config }}
{{- if eq .Values.mode "deployment" }}
{{- $config = mergeOverwrite (dict "drain" (dict "time" (printf "%vs" .Values.drainSeconds))) $config }}
{{- end }}
{{- if .Values.cluster.dns }}
{{- $route := dict "zones" (prepend .Values.cluster.reverseZones .Values.cluster.domain) "to" (list .Values.cluster.dns) "plain" true "private" true }}
{{- $_ := set $config "forward" (append ($config.forward | default list) $route) }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- define "dotstub.annotations" -}}
prometheus.io/scrape: "true"
prometheus.io/port: "9353"
prometheus.io/path: /metrics
checksum/config: {{ include "dotstub.config" . | sha256sum }}
{{- end }}

{{- /* What both kinds of pod have beside their environment, ports and securityContext. */ -}}
{{- define "dotstub.container" -}}
name: dotstub
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
readinessProbe:
  httpGet:
    path: /readyz
    port: metrics
  periodSeconds: 2
  failureThreshold: 1
livenessProbe:
  httpGet:
    path: /healthz
    port: metrics
  periodSeconds: 10
  timeoutSeconds: 5
{{- if include "dotstub.encrypted" . }}
# Until the port is open. Readiness is /readyz, as without TLS.
startupProbe:
  tcpSocket:
    port: dns-tls
  periodSeconds: 1
  failureThreshold: 30
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: /etc/dotstub
    readOnly: true
  - name: run
    mountPath: /run/dotstub
  - name: state
    mountPath: /var/lib/dotstub
{{- if include "dotstub.encrypted" . }}
  - name: tls
    mountPath: /etc/dotstub-tls
    readOnly: true
{{- end }}
{{- end }}

{{- define "dotstub.volumes" -}}
- name: config
  configMap:
    name: {{ .Release.Name }}
- name: run
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
- name: state
  emptyDir:
    sizeLimit: 100Mi
{{- if include "dotstub.encrypted" . }}
- name: tls
  secret:
    secretName: {{ .Values.encrypted.secret }}
    defaultMode: 0440
{{- end }}
{{- end }}
