using System.CommandLine;
using System.Globalization;
using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Decant.Errors;
using Decant.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Decant.Controller.Commands;

/// <summary><c>decant audit</c>: who changed what on the hosts.</summary>
internal static class AuditCommand
{
    private static readonly Option<string> Since = new("--since") { Description = "How far back: a time such as 30m, 12h or 168h, or a day such as 2026-11-27", HelpName = "TIME", DefaultValueFactory = _ => "24h" };

    public static Command Create(CommandSession session)
    {
        var command = new OperatorCommand("audit", "Show who changed what on the hosts, and who was refused", "decant audit --since 168h") { Since };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(parsed, used => RunAsync(session, parsed, used.Manifest, cancellation), cancellation));
        return command;
    }

    private static async Task<ExitCode> RunAsync(CommandSession session, ParseResult parsed, DeploymentManifest manifest, CancellationToken cancellation)
    {
        var since = Read(parsed.GetRequiredValue(Since), session.Time.GetUtcNow());
        var answers = await Task.WhenAll(NamedAgent.Of(manifest).DistinctBy(a => a.Address).Select(agent => AskAsync(session, agent, since, cancellation)));
        var entries = answers.SelectMany(a => a.Entries).OrderBy(e => e.Entry.At.ToDateTimeOffset()).ToList();
        if (CommandSession.IsJson(parsed))
        {
            foreach (var (host, entry) in entries) session.Terminal.Json(writer => Write(writer, host, entry));
            return session.Report(answers.Select(a => a.Error));
        }

        // People see each call once: with its outcome, or as begun where there is none.
        var ended = entries.Where(e => e.Entry.Event != AuditEvent.Began).Select(e => (e.Host, e.Entry.Number)).ToHashSet();
        foreach (var (host, entry) in entries.Where(e => e.Entry.Event != AuditEvent.Began || !ended.Contains((e.Host, e.Entry.Number)))) session.Terminal.Line(Text(host, entry));
        return session.Report(answers.Select(a => a.Error));
    }

    private static async Task<Answer> AskAsync(CommandSession session, NamedAgent agent, DateTimeOffset since, CancellationToken cancellation)
    {
        var entries = new List<(string, AuditEntry)>();
        try
        {
            using var call = new Audits.AuditsClient(session.Channels.To(agent.Address)).ReadAudit(
                new ReadAuditRequest { Since = Timestamp.FromDateTimeOffset(since) }, cancellationToken: cancellation);
            await foreach (var entry in call.ResponseStream.ReadAllAsync(cancellation)) entries.Add((agent.Name, entry));
            return new Answer(entries, null);
        }
        catch (RpcException exception) when (!cancellation.IsCancellationRequested)
        {
            return new Answer(entries, OperatorError.FromRpc(exception).With("host", agent.Name));
        }
    }

    private static string Text(string host, AuditEntry entry)
    {
        var about = string.Join(' ', new[] { entry.App, entry.DeploymentId }.Where(t => t.Length > 0));
        var outcome = entry.Event switch { AuditEvent.Began => "has not ended", AuditEvent.Refused => $"REFUSED {entry.Outcome}", _ => entry.Outcome };
        return $"{entry.At.ToDateTimeOffset().ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} {host}: {entry.Caller} from {entry.From}: {entry.Call}{(about.Length > 0 ? $" {about}" : "")}: {outcome}";
    }

    private static void Write(System.Text.Json.Utf8JsonWriter writer, string host, AuditEntry entry)
    {
        writer.WriteString("at", entry.At.ToDateTimeOffset());
        writer.WriteString("host", host);
        writer.WriteNumber("number", entry.Number);
        writer.WriteString("event", entry.Event switch { AuditEvent.Began => "began", AuditEvent.Ended => "ended", _ => "refused" });
        writer.WriteString("caller", entry.Caller);
        writer.WriteString("serial", entry.Serial);
        writer.WriteString("from", entry.From);
        writer.WriteString("call", entry.Call);
        writer.WriteString("app", entry.App);
        writer.WriteString("operation_id", entry.OperationId);
        writer.WriteString("deployment_id", entry.DeploymentId);
        writer.WriteString("outcome", entry.Outcome);
    }

    private static DateTimeOffset Read(string text, DateTimeOffset now)
        => DurationText.TryParse(text, out var back) && back <= now - DateTimeOffset.UnixEpoch ? now - back
            : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out var day) && day >= DateTimeOffset.UnixEpoch ? day
            : throw new OperatorException(new OperatorError(StatusCode.InvalidArgument, "BAD_TIME", $"--since is \"{text}\", neither a time such as 12h nor a day such as 2026-11-27"));

    private sealed record Answer(IReadOnlyList<(string Host, AuditEntry Entry)> Entries, OperatorError? Error);
}
