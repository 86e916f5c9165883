# SPDX-License-Identifier: Apache-2.0
"""One good source of each type: what is required and a little more. Values are ours."""

ARN = "arn:aws:iam::123456789012:role/muster"
ROLE = {"type": "AWSRoleBasedAuthentication", "roleARN": ARN}
KEYS = {"type": "S3BucketAuthentication", "awsId": "AKIA", "awsKey": "s3cr3t-key"}
BUCKET = {"type": "S3BucketPathExpression", "bucketName": "logs", "pathExpression": "*"}


def third_party(service, path=None, authentication=None):
    resource = {"serviceType": service}
    if path is not None:
        resource["path"] = path
    if authentication is not None:
        resource["authentication"] = authentication
    return {"resources": [resource]}


def polling(content, path, authentication=None, **members):
    return {"sourceType": "Polling", "name": content, "contentType": content,
            "scanInterval": 300000, "paused": False,
            "thirdPartyRef": third_party(content, path, authentication or dict(ROLE)), **members}


INSTALLED = {
    "LocalFile": {"pathExpression": "/var/log/*.log", "denylist": ["/var/log/x"]},
    "RemoteFileV2": {"remoteHosts": ["h1"], "remotePort": 22, "remoteUser": "u",
                     "authMethod": "password", "remotePassword": "s3cr3t-ssh",
                     "pathExpression": "/var/log/*"},
    "Syslog": {"protocol": "UDP", "port": 514},
    "Script": {"commands": ["/bin/sh"], "cronExpression": "0 * * * *", "script": "date",
               "timeout": 60000},
    "LocalWindowsEventLog": {"logNames": ["Security", "Application"], "renderMessages": True,
                             "eventFormat": 1, "eventMessage": 2},
    "RemoteWindowsEventLog": {"domain": "d", "username": "u", "password": "s3cr3t-win",
                              "hosts": ["h1"], "logNames": ["System"]},
    "LocalWindowsPerfMon": {"wmiQueries": [{"name": "cpu", "query": "SELECT * FROM x"}],
                            "interval": 60000},
    "RemoteWindowsPerfMon": {"domain": "d", "remoteUser": "u", "remotePassword": "s3cr3t-perf",
                             "remoteHosts": ["h1"],
                             "wmiQueries": [{"name": "cpu", "query": "SELECT * FROM x"}]},
    "RemoteWindowsPerformance": {"domain": "d", "remoteUser": "u", "remotePassword": "s3cr3t-perf",
                                 "remoteHosts": ["h1"],
                                 "wmiQueries": [{"name": "cpu", "query": "SELECT * FROM x"}]},
    "ActiveDirectory": {"nameSuffixes": "dc=a,dc=b", "filter": "(x=y)", "interval": 60000},
    "DockerLog": {"uri": "unix:///var/run/docker.sock", "allContainers": True,
                  "collectEvents": True},
    "DockerStats": {"uri": "unix:///var/run/docker.sock", "allContainers": False,
                    "specifiedContainers": ["a"], "pollInterval": 1000,
                    "contentType": "DockerMetrics"},
    "SystemStats": {"interval": 60000, "metrics": ["CPU_User"]},
    "StreamingMetrics": {"contentType": "Graphite", "protocol": "TCP", "port": 2003},
}

# Which members a source of the type cannot do without.
REQUIRED = {
    "LocalFile": ["pathExpression"],
    "RemoteFileV2": ["remoteHosts", "remotePort", "remoteUser", "authMethod", "pathExpression"],
    "Syslog": ["protocol", "port"],
    "Script": ["commands", "cronExpression"],
    "LocalWindowsEventLog": ["logNames"],
    "RemoteWindowsEventLog": ["domain", "username", "password", "hosts", "logNames"],
    "LocalWindowsPerfMon": ["wmiQueries"],
    "RemoteWindowsPerfMon": ["domain", "remoteUser", "remotePassword", "remoteHosts",
                             "wmiQueries"],
    "DockerLog": ["uri", "allContainers", "collectEvents"],
    "DockerStats": ["uri", "allContainers"],
    "SystemStats": ["interval"],
    "StreamingMetrics": ["protocol", "port"],
}

AZURE = {"tenantId": "t", "clientId": "c", "clientSecret": "s3cr3t-azure"}

HOSTED = {
    "HTTP": {"sourceType": "HTTP", "name": "in", "messagePerRequest": False},
    "HTTP Zipkin": {"sourceType": "HTTP", "name": "z", "messagePerRequest": False,
                    "contentType": "Zipkin"},
    "HTTP Otlp": {"sourceType": "HTTP", "name": "o", "messagePerRequest": False,
                  "contentType": "Otlp"},
    "HTTP KinesisLog without a reference": {"sourceType": "HTTP", "name": "k",
                                            "messagePerRequest": False,
                                            "contentType": "KinesisLog"},
    "Cloudsyslog": {"sourceType": "Cloudsyslog", "name": "syslog"},
    "Universal": {"sourceType": "Universal", "schemaRef": {"type": "Okta"},
                  "config": {"name": "okta", "domain": "d", "collectAll": True,
                             "pollingInterval": 30, "nested": {"a": [1, None, "x"]}}},
    "AwsS3Bucket": polling("AwsS3Bucket", BUCKET),
    "AwsS3Bucket by keys": polling("AwsS3Bucket", BUCKET, KEYS),
    "AwsS3AuditBucket": polling("AwsS3AuditBucket", BUCKET),
    "AwsS3ArchiveBucket": polling("AwsS3ArchiveBucket", BUCKET),
    "AwsElbBucket": polling("AwsElbBucket", BUCKET),
    "AwsCloudFrontBucket": polling("AwsCloudFrontBucket", BUCKET),
    "AwsCloudTrailBucket": polling("AwsCloudTrailBucket", {**BUCKET, "useVersionedApi": False}),
    "AwsCloudWatch": polling("AwsCloudWatch", {
        "type": "CloudWatchPath", "limitToRegions": ["us-west-2"],
        "limitToNamespaces": ["AWS/Route53"],
        "tagFilters": [{"type": "TagFilters", "namespace": "All", "tags": ["k3=v3"]}]}),
    "AwsInventory": polling("AwsInventory", {"type": "AwsInventoryPath", "limitToRegions": ["a"],
                                             "limitToNamespaces": ["AWS/EC2"]}),
    "AwsXRay": polling("AwsXRay", {"type": "AwsXRayPath", "limitToRegions": ["us-west-2"]}),
    "AwsMetadata": polling("AwsMetadata", {
        "type": "AwsMetadataPath", "limitToRegions": ["us-west-2"],
        "limitToNamespaces": ["AWS/EC2"], "tagFilters": ["Deploy*", "!Deploy"]}),
    "GcpMetrics": polling("GcpMetrics", {
        "type": "GcpMetricsPath", "limitToRegions": ["us-west1"], "limitToServices": ["Compute"],
        "customServices": ["b=p;q", "a=x"]}, {
        "type": "service_account", "project_id": "p", "private_key": "s3cr3t-pem",
        "client_email": "a@b"}),
    "AzureEventHubLog": polling("AzureEventHubLog", {
        "type": "AzureEventHubPath", "namespace": "n", "eventHubName": "e",
        "consumerGroup": "c", "region": "Commercial"}, {
        "type": "AzureEventHubAuthentication", "sharedAccessPolicyName": "p",
        "sharedAccessPolicyKey": "s3cr3t-sas"}, scanInterval=-1),
    "AzureMetrics": polling("AzureMetrics", {
        "type": "AzureMetricsPath", "environment": "Azure", "limitToRegions": ["r"],
        "limitToNamespaces": ["n"], "tagFilters": [{
            "type": "AzureTagFilters", "namespace": "n",
            "tags": [{"name": "k", "values": ["v"]}]}]},
        {"type": "AzureClientSecretAuthentication", **AZURE}),
    "KinesisLog": {"sourceType": "HTTP", "name": "kl", "messagePerRequest": False,
                   "contentType": "KinesisLog", "thirdPartyRef": third_party("KinesisLog", {
                       "type": "KinesisLogPath", "bucketName": "b",
                       "pathExpression": "http-endpoint-failed/x", "scanInterval": 300000}, ROLE)},
    "AwsS3Bucket by HTTP, as Kinesis replays": {
        "sourceType": "HTTP", "name": "kr", "contentType": "AwsS3Bucket",
        "thirdPartyRef": third_party("AwsS3Bucket", {
            "type": "S3BucketPathExpression", "bucketName": "b",
            "pathExpression": "http-endpoint-failed/*", "useVersionedApi": True}, KEYS)},
    "KinesisLog without a path": {
        "sourceType": "HTTP", "name": "kn", "messagePerRequest": False,
        "contentType": "KinesisLog", "thirdPartyRef": third_party(
            "KinesisLog", {"type": "NoPathExpression"}, {"type": "NoAuthentication"})},
    "KinesisMetric": {"sourceType": "HTTP", "name": "km", "messagePerRequest": False,
                      "contentType": "KinesisMetric",
                      "thirdPartyRef": third_party("KinesisMetric", {
                          "type": "KinesisMetricPath", "tagFilters": [{
                              "type": "TagFilters", "namespace": "All", "tags": ["k=v"]}]}, ROLE)},
    "GoogleCloudLogs": {"sourceType": "HTTP", "name": "gcl", "messagePerRequest": False,
                        "contentType": "GoogleCloudLogs",
                        "thirdPartyRef": third_party("GoogleCloudLogs",
                                                     {"type": "NoPathExpression"},
                                                     {"type": "NoAuthentication"})},
    "Rum": {"sourceType": "HTTP", "name": "rum", "messagePerRequest": False, "contentType": "Rum",
            "thirdPartyRef": third_party("Rum", {
                "type": "RumPath", "serviceName": "s", "applicationName": "a",
                "deploymentEnvironment": "d", "samplingRate": 0.5, "ignoreUrls": ["/^x$/"],
                "customTags": {"t": "v"}, "propagateTraceHeaderCorsUrls": ["/y/"],
                "selectedCountry": "Poland"}, {"type": "NoAuthentication"})},
    "O365AuditNotification": {
        "sourceType": "HTTP", "name": "o365", "messagePerRequest": False,
        "contentType": "O365AuditNotification", "thirdPartyRef": third_party(
            "O365AuditNotification", {"type": "O365NotificationPath", "workload": "Audit.Exchange",
                                      "region": "Commercial"},
            {"type": "O365AppRegistrationAuthentication", **AZURE})},
}

SECRETS = {"awsKey", "remotePassword", "password", "private_key", "sharedAccessPolicyKey",
           "clientSecret"}


def installed(kind, **members):
    return {"sourceType": kind, "name": kind, **INSTALLED[kind], **members}


def hidden(document):
    """With its secrets as they are shown."""
    if isinstance(document, dict):
        return {k: "********" if k in SECRETS else hidden(v) for k, v in document.items()}
    return [hidden(v) for v in document] if isinstance(document, list) else document
