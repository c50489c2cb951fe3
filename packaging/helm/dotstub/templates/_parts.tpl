{{- define "dotstub.component" -}}
{{- if eq .Values.mode "node-local" }}node-local{{ else if eq .Values.mode "deployment" }}resolver{{ else }}{{ fail "mode is deployment or node-local" }}{{ end -}}
{{- end }}

{{- /* "yes" if clients are served over TLS. */ -}}
{{- define "dotstub.encrypted" -}}
{{- if .Values.encrypted.enabled }}{{ if ne .Values.mode "deployment" }}{{ fail "encrypted.enabled needs mode: deployment" }}{{ end }}yes{{ end -}}
{{- end }}

{{- /* "yes" if the pods share a cache. */ -}}
{{- define "dotstub.store" -}}
{{- if .Values.store.enabled }}{{ if ne .Values.mode "deployment" }}{{ fail "store.enabled needs mode: deployment" }}{{ end }}yes{{ end -}}
{{- end }}

{{- /* "yes" if the Valkey of this chart is installed. */ -}}
{{- define "dotstub.valkey" -}}
{{- if and (include "dotstub.store" .) (not .Values.store.servers) }}yes{{ end -}}
{{- end }}

{{- define "dotstub.storeSelector" -}}
app.kubernetes.io/name: dotstub
app.kubernetes.io/component: store
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dotstub.storeLabels" -}}
{{ include "dotstub.storeSelector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "dotstub.storeServers" -}}
{{- if .Values.store.servers }}{{ join "," .Values.store.servers }}
{{- else }}{{ .Release.Name }}-store.{{ .Release.Namespace }}.svc.{{ .Values.cluster.domain }}@6379{{ end -}}
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
{{- if include "dotstub.store" . }}
  - name: fleet
    mountPath: /etc/dotstub-fleet
    readOnly: true
  - name: store
    mountPath: /etc/dotstub-store
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
{{- if include "dotstub.store" . }}
- name: fleet
  secret:
    secretName: {{ .Values.store.secret }}
    defaultMode: 0440
    items:
      - key: fleet.key
        path: fleet.key
      - key: password
        path: password
- name: store
  secret:
    secretName: {{ .Values.store.tlsSecret }}
    defaultMode: 0440
    items:
      - key: ca.crt
        path: ca.crt
{{- end }}
{{- end }}
