using System.CommandLine;
using System.Text.Json;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Decant.Errors;
using Decant.V1;
using Spectre.Console;

namespace Decant.Controller.Commands;

/// <summary><c>decant status</c>: what each host runs, and how each balancer sees it.</summary>
internal static class StatusCommand
{
    public static Command Create(CommandSession session)
    {
        var command = new OperatorCommand("status", "Show what each host runs, how each balancer sees it, and the last deployment", "decant status");
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(parsed, used => RunAsync(session, parsed, used.Manifest, cancellation), cancellation));
        return command;
    }

    private static async Task<ExitCode> RunAsync(
        CommandSession session, ParseResult parsed, DeploymentManifest manifest, CancellationToken cancellation)
    {
        var hosts = await session.AskHostsAsync(manifest, cancellation);
        var backends = await Task.WhenAll(manifest.Balancers.Select(balancer => AskAsync(session, balancer, cancellation)));
        var last = CommandSession.Journal().List(manifest.App, 1) is [var newest] ? newest : null;
        if (CommandSession.IsJson(parsed))
        {
            foreach (var host in hosts) session.Terminal.Json(writer => Write(writer, host, backends));
            if (last is not null) session.Terminal.Json(writer => DeploymentRecordJson.Write(writer, last));
        }
        else
        {
            session.Terminal.Output.Write(Table(session.Time.GetUtcNow(), hosts, backends));
            foreach (var line in LastDeployment(session.Time.GetUtcNow(), last)) session.Terminal.Line(line);
        }

        return session.Report([.. hosts.Select(h => h.Error), .. backends.Select(b => b.Error)]);
    }

    private static async Task<BackendAnswer> AskAsync(CommandSession session, ManifestBalancer balancer, CancellationToken cancellation)
    {
        var (backend, error) = await session.AskAsync(
            balancer.Key.Value,
            balancer.Agent,
            invoker => new Balancers.BalancersClient(invoker).GetBackendAsync(
                new GetBackendRequest { Balancer = balancer.Balancer.Value, Backend = balancer.Backend.Value },
                deadline: session.Deadline(),
                cancellationToken: cancellation));
        return new BackendAnswer(balancer, backend, error);
    }

    private static Table Table(DateTimeOffset now, IEnumerable<HostAnswer> hosts, IReadOnlyList<BackendAnswer> backends)
    {
        var table = new Table().Border(TableBorder.None).AddColumns("HOST", "SLOT", "RELEASE", "STATE", "SINCE", "RESTARTS");
        foreach (var backend in backends) table.AddColumn(new TableColumn(Markup.Escape(backend.Balancer.Key.Value.ToUpperInvariant())));
        table.AddColumn("NOTES");
        foreach (var host in hosts)
        {
            var instance = InstanceOf(host);
            string[] cells =
            [
                host.Host.Name.Value,
                host.Host.Slot.Name.Value,
                Shown.Release(instance?.Release),
                host.Error is not null ? "unreachable" : instance is null ? "empty" : Shown.State(instance.State),
                instance?.StartedAt is { } since && instance.Pid != 0 ? Shown.Time(now - since.ToDateTimeOffset()) : "-",
                $"{instance?.Restarts ?? 0}",
                .. backends.Select(b => b.Describe(host.Host)),
                string.Join("; ", Notes(host)),
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

    private static void Write(Utf8JsonWriter writer, HostAnswer host, IEnumerable<BackendAnswer> backends)
    {
        writer.WriteString("host", host.Host.Name.Value);
        writer.WriteString("slot", host.Host.Slot.Name.Value);
        writer.WriteBoolean("reachable", host.Error is null);
        writer.WriteString("error", host.Error?.Message);
        if (InstanceOf(host) is { } instance)
        {
            writer.WriteString("state", Shown.State(instance.State));
            writer.WriteString("version", instance.Release?.Version);
            writer.WriteString("digest", instance.Release?.Digest);
            writer.WriteNumber("pid", instance.Pid);
            writer.WriteNumber("restarts", instance.Restarts);
            writer.WriteBoolean("adopted", instance.Adopted);
            writer.WriteNumber("resident_bytes", instance.ResidentBytes);
        }

        writer.WriteStartObject("balancers");
        foreach (var backend in backends) writer.WriteString(backend.Balancer.Key.Value, backend.Describe(host.Host));
        writer.WriteEndObject();
        writer.WriteStartArray("notes");
        foreach (var note in Notes(host)) writer.WriteStringValue(note);
        writer.WriteEndArray();
    }

    private static Instance? InstanceOf(HostAnswer host) => host.Status?.Instances.FirstOrDefault(i => i.Slot == host.Host.Slot.Name.Value);

    private static IEnumerable<string> Notes(HostAnswer host)
    {
        if (host.Status is not { } status) yield break;
        var instance = InstanceOf(host);
        if (instance is { Adopted: true }) yield return $"re-adopted by the agent at {instance.AdoptedAt?.ToDateTimeOffset():HH:mm:ss} UTC";
        if (instance is { State: InstanceState.Unhealthy, Health: { } health }) yield return health.LastFailure;
        if (instance is { State: InstanceState.BackingOff or InstanceState.Stopped, LastExit: { } exit })
            yield return exit.HasExitCode ? $"last exit code {exit.ExitCode}" : "last exit code unknown";
        foreach (var operation in status.Unfinished) yield return $"{Shown.Kind(operation.Kind)} {(operation.State == OperationState.Running ? "is running" : "was interrupted")} ({operation.Ref.Id})";
        foreach (var warning in status.Warnings) yield return warning;
    }

    private sealed record BackendAnswer(ManifestBalancer Balancer, Backend? Backend, OperatorError? Error)
    {
        public string Describe(ManifestHost host)
        {
            if (Error is not null) return "unreachable";
            var member = Backend?.Members.FirstOrDefault(m => m.Name == Balancer.MemberOf(host.Name).Value);
            return member is null ? "no such member" : $"{Shown.State(member.State)}, {Shown.Sessions(member.Sessions)}";
        }
    }
}
