using Decant.Agent.Deployments;
using Decant.Agent.Leases;
using Decant.Agent.Operations;
using Decant.Names;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Agent.Api;

/// <summary>Records of deployments as the contract has them: the one place that knows their bounds.</summary>
internal static class DeploymentMapping
{
    private const int LargestRecord = 1 << 20;
    private const int LargestStep = 128 << 10;
    private const int LargestText = 256 << 10;
    private const int LongestMessage = 64 << 10;
    private const int LongestHost = 253;
    private const int LongestPath = 4096;
    private const int MostHosts = 1000;
    private const uint Most = 1_000_000;
    // timestamp.proto: the years 1 to 9999.
    private const long FirstSecond = -62_135_596_800;
    private const long LastSecond = 253_402_300_799;

    /// <summary>Reads a record that is to be kept.</summary>
    public static KeptDeployment ReadRecord(RequestReader reader, V1.DeploymentRecord? record, FencingToken? token, DateTimeOffset now)
    {
        if (record is null) reader.Wrong("record", "is missing");
        record ??= new V1.DeploymentRecord();
        var id = reader.Required<DeploymentId>("record.id", record.Id, DeploymentId.TryParse);
        var app = reader.Required<AppName>("record.app", record.App, AppName.TryParse);
        if (record.CalculateSize() is var size && size > LargestRecord) reader.Wrong("record", $"has {size} bytes, at most {LargestRecord} are allowed");
        if (record.Intent is V1.DeploymentIntent.Unspecified || !System.Enum.IsDefined(record.Intent)) reader.Wrong("record.intent", "is missing, or not known");
        if (record.State is V1.DeploymentState.Unspecified || !System.Enum.IsDefined(record.State)) reader.Wrong("record.state", "is missing, or not known");
        if (record.Attempt is 0 or > Most) reader.Wrong("record.attempt", $"{record.Attempt} is not within 1 to {Most}");
        if (record.Revision > Most) reader.Wrong("record.revision", $"{record.Revision} is more than {Most}");
        if (record.StartedAt is null) reader.Wrong("record.started_at", "is missing");
        ReadTime(reader, "record.started_at", record.StartedAt);
        ReadTime(reader, "record.ended_at", record.EndedAt);
        if (record.Release is not null) reader.Release("record.release", record.Release);
        if (record.DownFrom is not null) reader.Release("record.down_from", record.DownFrom);
        reader.Lines("record.manifest", record.Manifest, LargestText);
        reader.Lines("record.plan", record.Plan, LargestText);
        reader.Lines("record.message", record.Message, LongestMessage);
        reader.Lines("record.what_next", record.WhatNext, LongestMessage);
        reader.Text("record.manifest_path", record.ManifestPath, LongestPath);
        reader.Text("record.archive_path", record.ArchivePath, LongestPath);
        reader.Text("record.controller.user", record.Controller?.User ?? "", 64);
        reader.Text("record.controller.machine", record.Controller?.Machine ?? "", 255);
        reader.Text("record.controller.process", record.Controller?.Process ?? "", 200);
        if (record.Cutovers.Count > MostHosts) reader.Wrong("record.cutovers", $"has {record.Cutovers.Count} entries, at most {MostHosts} are allowed");
        foreach (var (cutover, i) in record.Cutovers.Take(MostHosts).Select((c, i) => (c, i))) ReadCutover(reader, $"record.cutovers[{i}]", cutover);
        ReadHosts(reader, "record.only", record.Only);
        ReadHosts(reader, "record.canary.hosts", record.Canary?.Hosts ?? []);
        return new KeptDeployment(id, app, record.Attempt, record.Revision, token!, now, record.ToByteArray());
    }

    /// <summary>Reads what a caller says of the step that an operation is.</summary>
    public static CallersStep ReadStep(RequestReader reader, string field, V1.DeploymentStep step)
    {
        if (step.CalculateSize() is var size && size > LargestStep) reader.Wrong(field, $"has {size} bytes, at most {LargestStep} are allowed");
        reader.Text($"{field}.key", step.Key, 500, required: true);
        reader.Text($"{field}.verb", step.Verb, 64, required: true);
        reader.Text($"{field}.host", step.Host, LongestHost, required: true);
        reader.Lines($"{field}.description", step.Description, 2000);
        return new CallersStep(step.ToByteArray());
    }

    /// <summary>A record that is kept.</summary>
    /// <param name="kept">It.</param>
    /// <param name="brief">Without what is most of it.</param>
    /// <param name="lease">The app's lease as it is now; null: there was none.</param>
    public static V1.KeptDeployment ToMessage(KeptDeployment kept, bool brief, LeaseView? lease)
    {
        var record = V1.DeploymentRecord.Parser.ParseFrom(kept.Content.Span);
        if (brief)
        {
            (record.Manifest, record.Plan) = ("", "");
            record.Cutovers.Clear();
        }

        return new V1.KeptDeployment
        {
            Record = record,
            FencingToken = kept.Token.ToWire(),
            PutAt = Timestamp.FromDateTimeOffset(kept.PutAt),
            LeaseHeld = lease is { Remaining: not null } && lease.Page.Lease.Holder.Deployment == kept.Id,
        };
    }

    private static void ReadCutover(RequestReader reader, string field, V1.HostCutover cutover)
    {
        reader.Text($"{field}.host", cutover.Host, LongestHost, required: true);
        if (cutover.From is not null) reader.Release($"{field}.from", cutover.From);
        if (cutover.To is not null) reader.Release($"{field}.to", cutover.To);
        reader.Optional<SlotName>($"{field}.slot", cutover.Slot, SlotName.TryParse);
    }

    private static void ReadTime(RequestReader reader, string field, Timestamp? time)
    {
        if (time is { Seconds: < FirstSecond or > LastSecond } or { Nanos: < 0 or > 999_999_999 }) reader.Wrong(field, "is no time");
    }

    private static void ReadHosts(RequestReader reader, string field, RepeatedField<string> hosts)
    {
        if (hosts.Count > MostHosts) reader.Wrong(field, $"has {hosts.Count} entries, at most {MostHosts} are allowed");
        foreach (var host in hosts.Take(MostHosts)) reader.Text(field, host, LongestHost, required: true);
    }
}
