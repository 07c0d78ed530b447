using System.CommandLine;
using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Decant.Errors;
using Decant.V1;
using Grpc.Core;

namespace Decant.Controller.Commands;

/// <summary><c>decant logs</c>: the app's output, from one host or from all at once.</summary>
internal static class LogsCommand
{
    private static readonly Argument<string?> Host = new("host")
    {
        Description = "A host of the manifest; all of them when left out",
        Arity = ArgumentArity.ZeroOrOne,
        CompletionSources = { Completions.Hosts },
    };

    private static readonly Option<bool> Follow = new("--follow", "-f") { Description = "Go on with what comes, until Ctrl-C" };

    private static readonly Option<uint> Lines = new("--lines", "-n")
    {
        Description = "Begin with this many of the last lines",
        DefaultValueFactory = _ => 100,
    };

    public static Command Create(CommandSession session)
    {
        var command = new OperatorCommand("logs", "Show the app's output", "decant logs web1 -f -n 20") { Host, Follow, Lines };
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(parsed, used => RunAsync(session, parsed, used.Manifest, cancellation), cancellation));
        return command;
    }

    private static async Task<ExitCode> RunAsync(
        CommandSession session, ParseResult parsed, DeploymentManifest manifest, CancellationToken cancellation)
    {
        var hosts = CommandSession.Choose(manifest, parsed.GetValue(Host));
        var outcomes = await Task.WhenAll(hosts.Select(host => FollowAsync(session, parsed, manifest, host, hosts.Count > 1, cancellation)));
        return outcomes.Max();
    }

    private static async Task<ExitCode> FollowAsync(
        CommandSession session, ParseResult parsed, DeploymentManifest manifest, ManifestHost host, bool prefixed, CancellationToken cancellation)
    {
        var request = new LogsRequest
        {
            App = manifest.App.Value,
            Slot = host.Slot.Name.Value,
            Tail = Math.Clamp(parsed.GetValue(Lines), 1, 10_000),
            Follow = parsed.GetValue(Follow),
        };
        var prefix = prefixed ? $"{host.Name} | " : "";
        try
        {
            using var call = new Instances.InstancesClient(session.Channels.To(host.Agent)).Logs(request, cancellationToken: cancellation);
            await foreach (var line in call.ResponseStream.ReadAllAsync(cancellation))
            {
                if (CommandSession.IsJson(parsed))
                {
                    session.Terminal.Json(writer =>
                    {
                        writer.WriteString("host", host.Name.Value);
                        writer.WriteString("at", line.At.ToDateTimeOffset());
                        writer.WriteString("text", line.Text);
                        writer.WriteBoolean("is_error", line.IsError);
                        writer.WriteNumber("dropped", line.Dropped);
                    });
                    continue;
                }

                if (line.Dropped > 0) session.Terminal.Note($"{prefix}({line.Dropped} lines were lost: this reader was too slow)");
                session.Terminal.Line($"{prefix}{line.Text}");
            }

            return ExitCode.Success;
        }
        catch (Exception exception) when (cancellation.IsCancellationRequested && exception is RpcException or OperationCanceledException)
        {
            // Ctrl-C is how following ends.
            return ExitCode.Success;
        }
        catch (RpcException exception)
        {
            session.Terminal.Error(OperatorError.FromRpc(exception).With("host", host.Name.Value));
            return exception.StatusCode == StatusCode.Unavailable ? ExitCode.Unreachable : ExitCode.Unexpected;
        }
    }
}
