using System.CommandLine;
using System.Text.Json;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Decant.V1;
using Spectre.Console;
using DeploymentRecord = Decant.Controller.Execution.DeploymentRecord;

namespace Decant.Controller.Commands;

/// <summary><c>decant status</c>: what each host runs, how each balancer sees it, and what of it is not as it should be.</summary>
internal static class StatusCommand
{
    private static readonly Option<bool> Check = new("--check") { Description = "Exit code 8 when something is not as it should be" };

    public static Command Create(CommandSession session)
    {
        var command = new OperatorCommand(
            "status", "Show what each host runs, how each balancer sees it, the last deployment, and what is not as it should be", "decant status --check") { Check };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(parsed, used => RunAsync(session, parsed, used.Manifest, cancellation), cancellation));
        return command;
    }

    private static async Task<ExitCode> RunAsync(
        CommandSession session, ParseResult parsed, DeploymentManifest manifest, CancellationToken cancellation)
    {
        var hosts = await session.AskHostsAsync(manifest, cancellation);
        var seats = (from balancer in manifest.Balancers from host in manifest.Hosts select (Seat: BalancerSeat.Of(balancer, host.Name), Balancer: balancer, Host: host))
            .DistinctBy(s => s.Seat);
        var backends = await Task.WhenAll(seats.Select(s => AskAsync(session, s.Seat, s.Balancer, s.Host, cancellation)));
        var rows = hosts.SelectMany(host => SlotsOf(host).Select(slot => new Row(host, slot, backends))).ToList();
        var leases = hosts.SelectMany(h => h.Status?.Leases.Where(l => l.App == manifest.App.Value).Select(l => (h.Host.Name.Value, l)) ?? []).ToList();
        // Who does not answer has been named already.
        var recollection = await session.Deployments(_ => { }).RecallAsync(manifest, cancellation);
        var journal = CommandSession.Journal();
        var records = journal.List(manifest.App, KnownDeployments.Depth).Select(recollection.Seen).ToList();
        var last = records.Count > 0 ? records[0] : null;
        var drift = Drift.Find(manifest, Observe(manifest, hosts, backends), KnownDeployments.Of(manifest, records, journal.StepsOf), session.Time.GetUtcNow());
        if (CommandSession.IsJson(parsed))
        {
            foreach (var row in rows) session.Terminal.Json(writer => Write(writer, row, manifest));
            foreach (var (host, lease) in leases) session.Terminal.Json(writer => LeaseText.Write(writer, host, lease));
            if (last is not null) session.Terminal.Json(writer => DeploymentRecordJson.Write(writer, last));
            foreach (var finding in drift) session.Terminal.Json(writer => FindingText.Write(writer, finding));
        }
        else
        {
            session.Terminal.Output.Write(Table(session.Time.GetUtcNow(), rows, manifest));
            foreach (var line in LastDeployment(session.Time.GetUtcNow(), last).Concat(LeaseText.Of(session.Time.GetUtcNow(), leases))) session.Terminal.Line(line);
            foreach (var line in FindingText.Of(drift)) session.Terminal.Line(line);
        }

        var code = session.Report([.. hosts.Select(h => h.Error), .. backends.Select(b => b.Error)]);
        return code == ExitCode.Success && drift.Count > 0 && parsed.GetValue(Check) ? ExitCode.Drift : code;
    }

    /// <summary>The same answers, as plans see them.</summary>
    private static FleetObservation Observe(DeploymentManifest manifest, IReadOnlyList<HostAnswer> hosts, IReadOnlyList<BackendAnswer> backends)
        => new(hosts.ToDictionary(h => h.Host.Name, h => FleetSurvey.OwnOf(
            h.Host,
            manifest,
            h.Status is { } status ? StatusMapping.ToObservation(status, manifest.App) : new HostObservation.Unreachable(h.Error!))))
        {
            Balancers = backends.ToDictionary(
                b => b.Seat,
                b => b.Backend is { } backend ? (BalancerObservation)StatusMapping.ToObservation(backend) : new BalancerObservation.Unreachable(b.Error!)),
        };

    private static async Task<BackendAnswer> AskAsync(
        CommandSession session, BalancerSeat seat, ManifestBalancer balancer, ManifestHost host, CancellationToken cancellation)
    {
        var (backend, error) = await session.AskAsync(
            seat.ToString(),
            balancer.AgentOf(host),
            invoker => new Balancers.BalancersClient(invoker).GetBackendAsync(
                new GetBackendRequest { Balancer = balancer.Balancer.Value, Backend = balancer.Backend.Value },
                cancellationToken: cancellation));
        return new BackendAnswer(seat, backend, error);
    }

    /// <summary>The manifest's slots, and others in which something runs.</summary>
    private static IEnumerable<string> SlotsOf(HostAnswer host)
        => host.Host.Slots.Select(s => s.Name.Value)
            .Concat(host.Status?.Instances.Where(i => i.Pid != 0).Select(i => i.Slot) ?? [])
            .Distinct();

    private static Table Table(DateTimeOffset now, IEnumerable<Row> rows, DeploymentManifest manifest)
    {
        var table = new Table().Border(TableBorder.None).AddColumns("HOST", "SLOT", "RELEASE", "STATE", "SINCE", "RESTARTS");
        foreach (var balancer in manifest.Balancers) table.AddColumn(new TableColumn(Markup.Escape(balancer.Key.Value.ToUpperInvariant())));
        table.AddColumn("NOTES");
        foreach (var row in rows)
        {
            var instance = row.Instance;
            string[] cells =
            [
                row.Host.Host.Name.Value,
                row.Slot,
                Shown.Release(instance?.Release),
                row.Host.Error is not null ? "unreachable" : instance is null ? "empty" : instance.RetireAt is not null ? "kept warm" : Shown.State(instance.State),
                instance?.StartedAt is { } since && instance.Pid != 0 ? Shown.Time(now - since.ToDateTimeOffset()) : "-",
                $"{instance?.Restarts ?? 0}",
                .. manifest.Balancers.Select(row.Describe),
                string.Join("; ", Notes(now, row)),
            ];
            table.AddRow([.. cells.Select(Markup.Escape)]);
        }

        return table;
    }

    private static IEnumerable<string> LastDeployment(DateTimeOffset now, DeploymentRecord? last)
    {
        yield return "";
        if (last is null)
        {
            yield return "no deployment was made from this machine";
            yield break;
        }

        yield return $"last deployment: {last.Id}, {HistoryCommands.DescribeIntent(last)}: {Shown.Status(last.Status)}"
            + (last.EndedAt is { } ended ? $" {Shown.Time(now - ended)} ago" : $", begun {Shown.Time(now - last.StartedAt)} ago by {last.Holder.User} (pid {last.Holder.Pid})");
        if (last.Status is DeploymentStatus.Succeeded) yield break;
        if (last.Message.Length > 0) yield return $"  {last.Message}";
        if (last.Status is DeploymentStatus.Interrupted) yield return $"  next: `decant resume {last.Id}` goes on";
        else if (last.WhatNext.Length > 0) yield return $"  next: {last.WhatNext}";
    }

    private static void Write(Utf8JsonWriter writer, Row row, DeploymentManifest manifest)
    {
        writer.WriteString("host", row.Host.Host.Name.Value);
        writer.WriteString("slot", row.Slot);
        writer.WriteBoolean("reachable", row.Host.Error is null);
        writer.WriteString("error", row.Host.Error?.Message);
        if (row.Host.Status?.ReadOnly is { } readOnly)
        {
            writer.WriteStartObject("read_only");
            writer.WriteString("reason", readOnly.Reason);
            writer.WriteString("kept_as", readOnly.KeptAs);
            writer.WriteString("what_next", readOnly.WhatNext);
            writer.WriteEndObject();
        }

        if (row.Instance is { } instance)
        {
            writer.WriteString("state", Shown.State(instance.State));
            writer.WriteString("version", instance.Release?.Version);
            writer.WriteString("digest", instance.Release?.Digest);
            writer.WriteNumber("pid", instance.Pid);
            writer.WriteNumber("restarts", instance.Restarts);
            writer.WriteBoolean("adopted", instance.Adopted);
            writer.WriteNumber("resident_bytes", instance.ResidentBytes);
            if (instance.RetireAt is { } retire) writer.WriteString("retire_at", retire.ToDateTimeOffset());
        }

        writer.WriteStartObject("balancers");
        foreach (var balancer in manifest.Balancers) writer.WriteString(balancer.Key.Value, row.Describe(balancer));
        writer.WriteEndObject();
        writer.WriteStartArray("notes");
        foreach (var note in Notes(DateTimeOffset.UtcNow, row)) writer.WriteStringValue(note);
        writer.WriteEndArray();
    }

    private static IEnumerable<string> Notes(DateTimeOffset now, Row row)
    {
        if (row.Host.Status is not { } status) yield break;
        var instance = row.Instance;
        if (instance?.RetireAt is { } retire) yield return $"is stopped in {Shown.Time(retire.ToDateTimeOffset() - now)}";
        if (instance is { StoppedByHand: true }) yield return "stopped by hand on the host; its agent starts it only when told to";
        if (instance is { Adopted: true }) yield return $"re-adopted by the agent at {instance.AdoptedAt?.ToDateTimeOffset():HH:mm:ss} UTC";
        if (instance is { State: InstanceState.Unhealthy, Health: { } health }) yield return health.LastFailure;
        if (instance is { State: InstanceState.BackingOff or InstanceState.Stopped, LastExit: { } exit })
            yield return exit.HasExitCode ? $"last exit code {exit.ExitCode}" : "last exit code unknown";
        // What is said of the whole host stands in its first row.
        if (row.Slot != row.Host.Host.Slot.Name.Value) yield break;
        if (status.ReadOnly is { } readOnly) yield return $"READ-ONLY: {readOnly.Reason}; {readOnly.WhatNext}";
        foreach (var operation in status.Unfinished) yield return $"{Shown.Kind(operation.Kind)} {(operation.State == OperationState.Running ? "is running" : "was interrupted")} ({operation.Ref.Id})";
        foreach (var warning in status.Warnings) yield return warning;
    }

    private sealed record BackendAnswer(BalancerSeat Seat, Backend? Backend, OperatorError? Error);

    /// <summary>A slot of a host.</summary>
    private sealed record Row(HostAnswer Host, string Slot, IReadOnlyList<BackendAnswer> Backends)
    {
        public Instance? Instance => Host.Status?.Instances.FirstOrDefault(i => i.Slot == Slot);

        public string Describe(ManifestBalancer balancer)
        {
            var seat = BalancerSeat.Of(balancer, Host.Host.Name);
            if (Backends.FirstOrDefault(b => b.Seat == seat) is not { Error: null } answer) return "unreachable";
            var name = balancer.MemberOf(Host.Host.Name, SlotName.Parse(Slot)).Value;
            if (answer.Backend?.Members.FirstOrDefault(m => m.Name == name) is not { } member) return "no such member";
            var share = member.Weight < 100 && member.State == MemberState.Ready ? $", {member.Weight} %" : "";
            return $"{Shown.State(member.State)}{share}, {Shown.Sessions(member.Sessions)}";
        }
    }
}
