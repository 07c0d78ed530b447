using System.CommandLine;
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
    private static readonly Argument<string> Host = new("host") { Description = "A host of the manifest" };

    private static readonly Argument<string> Expression = new("expression") { Description = "An Elixir expression" };

    private static readonly Option<int> Timeout = new("--timeout")
    {
        Description = "Seconds it may take",
        DefaultValueFactory = _ => 60,
    };

    public static Command CreateRpc(CommandSession session)
        => Create(session, "rpc", "Evaluate an Elixir expression in the running node of a host", separateVm: false);

    public static Command CreateEval(CommandSession session)
        => Create(session, "eval", "Evaluate an Elixir expression in a VM of its own, from the release that a host runs", separateVm: true);

    private static Command Create(CommandSession session, string name, string description, bool separateVm)
    {
        var command = new Command(name, description) { Host, Expression, Timeout };
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
                if (line.IsError) session.Terminal.Note(line.Text);
                else session.Terminal.Line(line.Text);
            }

            return ExitCode.Success;
        }
        catch (RpcException exception)
        {
            session.Terminal.Error(OperatorError.FromRpc(exception).With("host", host.Name.Value));
            return exception.StatusCode == StatusCode.Unavailable ? ExitCode.Unreachable : ExitCode.Unexpected;
        }
    }
}
