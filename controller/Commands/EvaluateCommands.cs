using System.CommandLine;
using System.Text.Json;
using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Decant.Errors;
using Decant.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Decant.Controller.Commands;

/// <summary><c>decant rpc</c> and <c>decant eval</c>: an Elixir expression in the running node, or in a VM of its own.</summary>
internal static class EvaluateCommands
{
    private static readonly Argument<string> Host = new("host") { Description = "A host of the manifest", CompletionSources = { Completions.Hosts } };

    private static readonly Argument<string> Expression = new("expression") { Description = "An Elixir expression" };

    private static readonly Option<int> Timeout = new("--timeout")
    {
        Description = "Seconds it may take",
        DefaultValueFactory = _ => 60,
    };

    public static Command CreateRpc(CommandSession session)
        => Create(session, "rpc", "Evaluate an Elixir expression in the running node of a host", "decant rpc web1 'IO.puts(Node.self())'", separateVm: false);

    public static Command CreateEval(CommandSession session)
        => Create(
            session,
            "eval",
            "Evaluate an Elixir expression in a VM of its own, from the release that a host runs",
            "decant eval web1 'IO.puts(System.version())'",
            separateVm: true);

    private static OperatorCommand Create(CommandSession session, string name, string description, string example, bool separateVm)
    {
        var command = new OperatorCommand(name, description, example) { Host, Expression, Timeout };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(
            parsed, used => RunAsync(session, parsed, used.Manifest, separateVm, cancellation), cancellation));
        return command;
    }

    private static async Task<ExitCode> RunAsync(
        CommandSession session, ParseResult parsed, DeploymentManifest manifest, bool separateVm, CancellationToken cancellation)
    {
        var host = CommandSession.Choose(manifest, parsed.GetValue(Host)).Single();
        var request = new EvaluateRequest
        {
            Operation = new OperationRef { Id = $"evaluate/{Guid.NewGuid()}" },
            App = manifest.App.Value,
            Slot = host.Slot.Name.Value,
            Expression = parsed.GetRequiredValue(Expression),
            SeparateVm = separateVm,
            Timeout = Duration.FromTimeSpan(TimeSpan.FromSeconds(parsed.GetValue(Timeout))),
        };
        try
        {
            using var call = new Instances.InstancesClient(session.Channels.To(host.Agent)).Evaluate(request, cancellationToken: cancellation);
            await foreach (var item in call.ResponseStream.ReadAllAsync(cancellation))
            {
                if (item.Output is not { } line) continue;
                if (CommandSession.IsJson(parsed)) session.Terminal.Json(writer => Write(writer, host.Name.Value, line));
                else if (line.IsError) session.Terminal.Note(line.Text);
                else session.Terminal.Line(line.Text);
            }

            return ExitCode.Success;
        }
        catch (RpcException exception) when (!cancellation.IsCancellationRequested)
        {
            session.Terminal.Error(OperatorError.FromRpc(exception).With("host", host.Name.Value));
            return exception.StatusCode == StatusCode.Unavailable ? ExitCode.Unreachable : ExitCode.Unexpected;
        }
    }

    private static void Write(Utf8JsonWriter writer, string host, OutputLine line)
    {
        writer.WriteString("host", host);
        writer.WriteString("text", line.Text);
        writer.WriteBoolean("is_error", line.IsError);
    }
}
