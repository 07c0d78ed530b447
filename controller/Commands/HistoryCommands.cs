using System.CommandLine;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Errors;
using Grpc.Core;
using Spectre.Console;

namespace Decant.Controller.Commands;

/// <summary><c>decant history</c> and <c>decant show</c>: what this controller has done.</summary>
internal static class HistoryCommands
{
    private static readonly Option<int> Limit = new("--limit", "-n") { Description = "At most this many", DefaultValueFactory = _ => 20 };

    private static readonly Argument<string> Deployment = new("deployment") { Description = "Id of the deployment" };

    public static Command CreateHistory(CommandSession session)
    {
        var command = new Command("history", "List the deployments of this controller, newest first") { Limit };
        command.SetAction((parsed, _) => session.RunAsync(() => Task.FromResult(History(session, parsed))));
        return command;
    }

    public static Command CreateShow(CommandSession session)
    {
        var command = new Command("show", "Show one deployment, step by step") { Deployment };
        command.SetAction((parsed, _) => session.RunAsync(() => Task.FromResult(Show(session, parsed))));
        return command;
    }

    private static ExitCode History(CommandSession session, ParseResult parsed)
    {
        var table = new Table().Border(TableBorder.None).AddColumns("DEPLOYMENT", "APP", "INTENT", "RELEASE", "STARTED", "TOOK", "STATUS", "MESSAGE");
        foreach (var record in CommandSession.Journal().List(null, Math.Clamp(parsed.GetValue(Limit), 1, 10_000)))
        {
            if (CommandSession.IsJson(parsed))
            {
                session.Terminal.Json(writer => DeploymentRecordJson.Write(writer, record));
                continue;
            }

            string[] cells =
            [
                record.Id.Value, record.App.Value, record.Intent.ToString().ToLowerInvariant(), record.Release?.Version.Value ?? "-",
                $"{record.StartedAt:u}", record.EndedAt is { } ended ? Shown.Time(ended - record.StartedAt) : "-",
                DeploymentRecordJson.Word(record.Status), record.Message.Split('\n')[0],
            ];
            table.AddRow([.. cells.Select(Markup.Escape)]);
        }

        if (!CommandSession.IsJson(parsed)) session.Terminal.Output.Write(table);
        return ExitCode.Success;
    }

    private static ExitCode Show(CommandSession session, ParseResult parsed)
    {
        var id = DeployCommands.ReadId(parsed.GetRequiredValue(Deployment));
        var journal = CommandSession.Journal();
        var record = journal.Find(id) ?? throw new OperatorException(new OperatorError(
            StatusCode.NotFound, "DEPLOYMENT_NOT_FOUND", $"this controller knows no deployment {id}", "`decant history` lists them"));
        var steps = journal.StepsOf(id);
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
            });
            return ExitCode.Success;
        }

        session.Terminal.Line($"deployment {record.Id} of {record.App}: {DeploymentRecordJson.Word(record.Status)}");
        session.Terminal.Line($"  by {record.Holder.User}, from {record.StartedAt:u}{(record.EndedAt is { } ended ? $" to {ended:u}" : "")}, attempt {record.Attempt}");
        if (record.Message.Length > 0) session.Terminal.Line($"  {record.Message}");
        if (record.WhatNext.Length > 0) session.Terminal.Line($"  next: {record.WhatNext}");
        foreach (var step in steps)
        {
            var took = step.EndedAt is { } at ? Shown.Time(at - step.BeganAt) : "not ended";
            var end = step.End is null ? "" : step.End.Succeeded ? step.End.Detail : $"{step.End.State.ToString().ToLowerInvariant()}: {step.End.Error?.Message}";
            session.Terminal.Line($"  {step.BeganAt:HH:mm:ss} {(step.IsRollback ? "rollback: " : "")}{step.Description}: {took}{(end.Length > 0 ? $", {end}" : "")}");
        }

        return ExitCode.Success;
    }
}
