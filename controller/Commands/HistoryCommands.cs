using System.CommandLine;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Grpc.Core;
using Spectre.Console;

namespace Decant.Controller.Commands;

/// <summary><c>decant history</c> and <c>decant show</c>: what has been done, from this machine and, by what the agents keep, from others.</summary>
internal static class HistoryCommands
{
    private static readonly Option<int> Limit = new("--limit", "-n") { Description = "At most this many", DefaultValueFactory = _ => 20 };

    private static readonly Argument<string?> Deployment = new("deployment")
    {
        Description = "Id of the deployment; the last one when left out",
        Arity = ArgumentArity.ZeroOrOne,
        CompletionSources = { Completions.Deployments },
    };

    public static Command CreateHistory(CommandSession session)
    {
        var command = new OperatorCommand("history", "List deployments, newest first: those made from this machine, and those that the agents of the manifest here know", "decant history -n 5") { Limit };
        command.SetAction((parsed, cancellation) => session.RunAsync(() => HistoryAsync(session, parsed, cancellation), cancellation));
        return command;
    }

    public static Command CreateShow(CommandSession session)
    {
        var command = new OperatorCommand("show", "Show one deployment, step by step", "decant show 20261125-101502-k3f9") { Deployment };
        command.SetAction((parsed, cancellation) => session.RunAsync(() => ShowAsync(session, parsed, cancellation), cancellation));
        return command;
    }

    private static async Task<ExitCode> HistoryAsync(CommandSession session, ParseResult parsed, CancellationToken cancellation)
    {
        var recollection = await session.RecallAsync(parsed, cancellation);
        var table = new Table().Border(TableBorder.None).AddColumns("DEPLOYMENT", "APP", "INTENT", "RELEASE", "STARTED", "TOOK", "STATUS", "MESSAGE");
        foreach (var known in CommandSession.Journal().List(null, Math.Clamp(parsed.GetValue(Limit), 1, 10_000)))
        {
            var record = recollection.Seen(known);
            if (CommandSession.IsJson(parsed))
            {
                session.Terminal.Json(writer => DeploymentRecordJson.Write(writer, record));
                continue;
            }

            string[] cells =
            [
                record.Id.Value, record.App.Value, record.Intent.ToString().ToLowerInvariant(), record.Release?.Version.Value ?? "-",
                $"{record.StartedAt:u}", record.EndedAt is { } ended ? Shown.Time(ended - record.StartedAt) : "-",
                Shown.Status(record.Status), record.Message.Split('\n')[0],
            ];
            table.AddRow([.. cells.Select(Markup.Escape)]);
        }

        if (!CommandSession.IsJson(parsed)) session.Terminal.Output.Write(table);
        if (recollection.News.Count > 0)
            session.Terminal.Note($"{recollection.News.Count} of them from the agents of {string.Join(", ", recollection.News.SelectMany(n => n.From).Distinct())}, and new to this machine");
        return ExitCode.Success;
    }

    private static async Task<ExitCode> ShowAsync(CommandSession session, ParseResult parsed, CancellationToken cancellation)
    {
        var recollection = await session.RecallAsync(parsed, cancellation);
        var journal = CommandSession.Journal();
        var known = Find(journal, parsed.GetValue(Deployment));
        var record = recollection.Seen(known);
        if (recollection.News.FirstOrDefault(n => n.Deployment == record.Id) is { } news) session.Terminal.Note(EventText.Of(news));
        var steps = journal.StepsOf(record.Id);
        if (CommandSession.IsJson(parsed))
        {
            session.Terminal.Json(writer =>
            {
                DeploymentRecordJson.Write(writer, record);
                writer.WriteStartArray("steps");
                foreach (var step in steps)
                {
                    writer.WriteStartObject();
                    DeploymentRecordJson.Write(writer, step);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
                if (Unended(record) is not { } planned) return;
                writer.WriteStartArray("progress");
                foreach (var progress in HostProgress.Of(record, steps, planned)) ProgressText.Write(writer, progress);
                writer.WriteEndArray();
            });
            return ExitCode.Success;
        }

        session.Terminal.Line($"deployment {record.Id}: {DescribeIntent(record)}: {Shown.Status(record.Status)}");
        session.Terminal.Line($"  by {(record.Holder.IsHere ? record.Holder.User : record.Holder.Name)}, from {record.StartedAt:u}{(record.EndedAt is { } ended ? $" to {ended:u}" : "")}, attempt {record.Attempt}");
        if (record.Message.Length > 0) session.Terminal.Line($"  {record.Message}");
        if (record.WhatNext.Length > 0) session.Terminal.Line($"  next: {record.WhatNext}");
        if (Unended(record) is { } manifest)
        {
            session.Terminal.Line("  where it stands, by the journal (resume looks at the hosts first)");
            foreach (var line in ProgressText.Of(record, steps, manifest)) session.Terminal.Line($"    {line}");
        }

        foreach (var group in steps.GroupBy(s => s.Attempt))
        {
            if (record.Attempt > 1) session.Terminal.Line($"  attempt {group.Key}");
            Steps(session, group);
            session.Terminal.Line("  seconds for each phase");
            foreach (var (phase, took) in Phases(group)) session.Terminal.Line($"    {phase,-12}{Shown.Time(took),8}");
        }

        return ExitCode.Success;
    }

    /// <summary><c>deploy shop 1.4.2</c>.</summary>
    public static string DescribeIntent(DeploymentRecord record) => record.Intent switch
    {
        PlanIntent.Deploy => $"deploy {record.App} {record.Release?.Version}",
        PlanIntent.Repair => $"repair {record.App}",
        _ => $"roll {record.App} back{(record.Release is { } release ? $" to {release.Version}" : "")}",
    };

    /// <summary>The manifest of a deployment that has not come to its end; null when it has.</summary>
    private static DeploymentManifest? Unended(DeploymentRecord record)
        => (record.IsUnfinished || record.Status == DeploymentStatus.Running) && ManifestReader.Read(record.Manifest.Text) is ManifestResult.Valid valid ? valid.Manifest : null;

    private static DeploymentRecord Find(DeploymentJournal journal, string? text)
    {
        if (text is null)
        {
            return journal.List(null, 1) is [var last] ? last : throw new OperatorException(new OperatorError(
                StatusCode.NotFound, "DEPLOYMENT_NOT_FOUND", "no deployment was made from this machine, nor is one known to agents that could be asked", "`decant deploy` makes one"));
        }

        var id = DeployCommands.ReadId(text);
        return journal.Find(id) ?? throw new OperatorException(new OperatorError(
            StatusCode.NotFound, "DEPLOYMENT_NOT_FOUND", $"no deployment {id} was made from this machine, nor is it known to agents that could be asked", "`decant history` lists those that are known; run it where the app's decant.yml is"));
    }

    /// <summary>The preparation by kind, then each host's cutover, from the begin of the first step to the end of the last.</summary>
    private static IEnumerable<(string Phase, TimeSpan Took)> Phases(IEnumerable<StepRecord> steps) => steps
        .Where(s => s.EndedAt is not null)
        .GroupBy(s => (s.IsRollback, Name: s.Verb is "stage" or "preflight" or "migrate" or "prune" ? s.Verb : s.Host.Value))
        .Select(g => ($"{(g.Key.IsRollback ? "rollback: " : "")}{g.Key.Name}", g.Max(s => s.EndedAt!.Value) - g.Min(s => s.BeganAt)));

    private static void Steps(CommandSession session, IEnumerable<StepRecord> steps)
    {
        foreach (var step in steps)
        {
            var took = step.EndedAt is { } at ? Shown.Time(at - step.BeganAt) : "not ended";
            var end = step.End is null ? "" : step.End.Succeeded ? step.End.Detail : $"{step.End.State.ToString().ToLowerInvariant()}: {step.End.Error?.Message}";
            session.Terminal.Line($"  {step.BeganAt:HH:mm:ss} {(step.IsRollback ? "rollback: " : "")}{step.Description}: {took}{(end.Length > 0 ? $", {end}" : "")}");
        }
    }
}
