using System.CommandLine;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Spectre.Console;

namespace Decant.Controller.Commands;

/// <summary><c>decant hosts</c>: the hosts of the manifest and their agents.</summary>
internal static class HostsCommand
{
    public static Command Create(CommandSession session)
    {
        var command = new OperatorCommand("hosts", "Show the hosts of the manifest and their agents", "decant hosts");
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(parsed, used => RunAsync(session, parsed, used.Manifest, cancellation), cancellation));
        return command;
    }

    private static async Task<ExitCode> RunAsync(
        CommandSession session, ParseResult parsed, DeploymentManifest manifest, CancellationToken cancellation)
    {
        var answers = await session.AskHostsAsync(manifest, cancellation);
        var table = new Table().Border(TableBorder.None).AddColumns("HOST", "AGENT", "VERSION", "SUPERVISOR", "ARCHITECTURE", "SYSTEM", "DISK FREE", "WARNINGS");
        foreach (var (host, status, error) in answers)
        {
            if (CommandSession.IsJson(parsed))
            {
                session.Terminal.Json(writer =>
                {
                    writer.WriteString("host", host.Name.Value);
                    writer.WriteString("agent", host.Agent.Value);
                    writer.WriteBoolean("reachable", status is not null);
                    writer.WriteString("error", error?.Message);
                    writer.WriteString("agent_version", status?.AgentVersion);
                    writer.WriteString("supervisor", status?.Supervisor);
                    writer.WriteString("architecture", status?.Architecture);
                    writer.WriteString("os", status?.Os);
                    writer.WriteNumber("disk_free_bytes", status?.DiskFreeBytes ?? 0);
                    writer.WriteStartArray("warnings");
                    foreach (var warning in status?.Warnings ?? []) writer.WriteStringValue(warning);
                    writer.WriteEndArray();
                });
                continue;
            }

            string[] cells = status is null
                ? [host.Name.Value, host.Agent.Value, "unreachable", "-", "-", "-", "-", "-"]
                : [
                    host.Name.Value, host.Agent.Value, status.AgentVersion, status.Supervisor, status.Architecture, status.Os,
                    Shown.Bytes(status.DiskFreeBytes), string.Join("; ", status.Warnings),
                ];
            table.AddRow([.. cells.Select(Markup.Escape)]);
        }

        if (!CommandSession.IsJson(parsed)) session.Terminal.Output.Write(table);
        return session.Report(answers.Select(a => a.Error));
    }
}
