using System.CommandLine;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Security;
using Decant.Controller.State;
using Decant.Errors;
using Decant.V1;
using Grpc.Core;

namespace Decant.Controller.Commands;

/// <summary>What commands share: where they print, the channels to the agents, the clock, the manifest and the journal.</summary>
/// <param name="Terminal">Where they print.</param>
/// <param name="Channels">To the agents.</param>
/// <param name="Identities">Who the operator is.</param>
/// <param name="Time">The clock.</param>
internal sealed record CommandSession(Terminal Terminal, AgentChannels Channels, OperatorIdentities Identities, TimeProvider Time)
{
    /// <summary>Output for machines was asked for.</summary>
    public static bool IsJson(ParseResult parsed) => parsed.GetValue(CommonOptions.Json);

    /// <summary>Runs a command; whatever is refused is told and becomes its exit code.</summary>
    public async Task<int> RunAsync(Func<Task<ExitCode>> run, CancellationToken cancellation)
    {
        try
        {
            return (int)await run();
        }
        catch (Exception exception) when (cancellation.IsCancellationRequested && exception is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            Terminal.Note("interrupted; `decant status` shows where things stand");
            return (int)ExitCode.Stopped;
        }
        catch (OperatorException exception)
        {
            Terminal.Error(exception.Error);
            return (int)ExitCodes.Of(exception.Error);
        }
        catch (RpcException exception)
        {
            var error = OperatorError.FromRpc(exception);
            Terminal.Error(error);
            return (int)(error.Code is StatusCode.Unavailable or StatusCode.Unauthenticated or StatusCode.PermissionDenied ? ExitCodes.Of(error) : ExitCode.Unexpected);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Terminal.Error(new OperatorError(StatusCode.Internal, "IO", exception.Message));
            return (int)ExitCode.Unexpected;
        }
    }

    /// <summary>Reads the manifest and goes on.</summary>
    public Task<int> WithManifestAsync(ParseResult parsed, Func<ManifestInUse, Task<ExitCode>> run, CancellationToken cancellation)
        => RunAsync(
            async () =>
            {
                var used = await ReadManifestAsync(parsed.GetRequiredValue(CommonOptions.Manifest), cancellation);
                using var keeping = CertificateKeeping.Here(this);
                keeping?.RenewOwn();
                var code = await run(used);
                if (keeping is not null) await keeping.SeeToAsync(used.Manifest, cancellation);
                return code;
            },
            cancellation);

    /// <summary>What deploys, rolls back and resumes, telling its events to a display.</summary>
    public DeploymentService Deployments(Action<DeploymentEvent> display)
    {
        var state = State();
        return new DeploymentService(
            state,
            new DeploymentJournal(JournalDatabase.At(state)),
            archive => new GrpcFleet(Channels, archive),
            Time,
            Random.Shared,
            new ExecutorOptions(),
            display);
    }

    /// <summary>Deployments of this controller.</summary>
    public static DeploymentJournal Journal() => new(JournalDatabase.At(State()));

    /// <summary>The manifest, where there is one. One that nobody named, and that is wrong, holds nothing up that can do without.</summary>
    /// <exception cref="OperatorException">One was named, and is wrong.</exception>
    public async Task<DeploymentManifest?> ManifestHereAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var path = parsed.GetRequiredValue(CommonOptions.Manifest);
        var isNamed = parsed.GetResult(CommonOptions.Manifest) is { Implicit: false };
        if (!isNamed && !File.Exists(path)) return null;
        try
        {
            return (await ReadManifestAsync(path, cancellation)).Manifest;
        }
        catch (OperatorException exception) when (!isNamed)
        {
            Terminal.Note($"agents are not asked for deployments that this machine does not know: {exception.Error.Message}");
            return null;
        }
    }

    /// <summary>Takes over what the agents of the manifest here know of its app's deployments; nothing where there is no manifest.</summary>
    public async Task<Recollection> RecallAsync(ParseResult parsed, CancellationToken cancellation)
    {
        if (await ManifestHereAsync(parsed, cancellation) is not { } manifest) return Recollection.None;
        var recollection = await Deployments(_ => { }).RecallAsync(manifest, cancellation);
        foreach (var problem in recollection.Problems)
            Terminal.Note($"{problem.Facts.GetValueOrDefault("host")}: deployments made from other machines are not known from it: {problem.Message}");
        return recollection;
    }

    /// <summary>Asks one agent a short question; an agent that does not answer is a value.</summary>
    public async Task<(T? Answer, OperatorError? Error)> AskAsync<T>(string host, AgentAddress agent, Func<CallInvoker, AsyncUnaryCall<T>> call)
        where T : class
    {
        try
        {
            return (await call(Channels.To(agent)), null);
        }
        catch (RpcException exception) when (exception.StatusCode != StatusCode.Cancelled)
        {
            var error = OperatorError.FromRpc(exception).With("host", host);
            return (null, OperatorError.OfThisSide(exception) is null && exception.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded ? Unreachable(agent, error) : error);
        }
    }

    /// <summary>Asks all hosts of a manifest for their status.</summary>
    public async Task<IReadOnlyList<HostAnswer>> AskHostsAsync(DeploymentManifest manifest, CancellationToken cancellation)
        => await Task.WhenAll(manifest.Hosts.Select(async host =>
        {
            var (status, error) = await AskAsync(
                host.Name.Value,
                host.Agent,
                invoker => new Hosts.HostsClient(invoker).GetStatusAsync(
                    new GetStatusRequest { App = manifest.App.Value }, cancellationToken: cancellation));
            return new HostAnswer(host, status, error);
        }));

    /// <summary>Prints errors of those that did not answer, or not as they should; the worst of them is the exit code.</summary>
    public ExitCode Report(IEnumerable<OperatorError?> errors)
    {
        var real = errors.OfType<OperatorError>().ToList();
        real.ForEach(Terminal.Error);
        return real.Select(ExitCodes.Of).DefaultIfEmpty(ExitCode.Success).Max();
    }

    /// <summary>The host of that name, or all hosts.</summary>
    /// <exception cref="OperatorException">The manifest has no such host.</exception>
    public static IReadOnlyList<ManifestHost> Choose(DeploymentManifest manifest, string? name)
    {
        if (name is null) return manifest.Hosts;
        return manifest.Hosts.FirstOrDefault(h => h.Name.Value == name) is { } host
            ? [host]
            : throw new OperatorException(new OperatorError(
                StatusCode.InvalidArgument,
                "UNKNOWN_HOST",
                $"the manifest has no host \"{name}\"",
                $"its hosts are {string.Join(", ", manifest.Hosts.Select(h => h.Name))}"));
    }

    private static StateDirectory State() => StateDirectory.Open(Environment.GetEnvironmentVariable);

    private static async Task<ManifestInUse> ReadManifestAsync(string path, CancellationToken cancellation)
        => await ManifestReader.ReadFileAsync(path, cancellation) switch
        {
            ManifestResult.Valid valid => new ManifestInUse(
                new ManifestSource(Path.GetFullPath(path), await File.ReadAllTextAsync(path, cancellation)), valid.Manifest),
            ManifestResult.Invalid when !File.Exists(path) => throw new OperatorException(new OperatorError(
                StatusCode.InvalidArgument,
                "NO_MANIFEST",
                $"there is no manifest {Path.GetFullPath(path)}",
                "`decant init` writes one; --manifest names another file")),
            ManifestResult.Invalid invalid => throw new OperatorException(invalid.ToOperatorError(path) with { Fields = [] }),
            var other => throw new InvalidOperationException($"manifest result {other} is not known"),
        };

    private static OperatorError Unreachable(AgentAddress agent, OperatorError error) => error with
    {
        Code = StatusCode.Unavailable,
        Message = $"the agent at {agent} does not answer: {error.Message}",
        WhatNext = "check that decantd runs there, that the address is right, and that no firewall is in between",
    };
}

/// <summary>A manifest, read, with its text.</summary>
/// <param name="Source">Its text and place.</param>
/// <param name="Manifest">The same, valid.</param>
internal sealed record ManifestInUse(ManifestSource Source, DeploymentManifest Manifest);

/// <summary>What one host's agent said.</summary>
/// <param name="Host">The host.</param>
/// <param name="Status">Null when it did not answer.</param>
/// <param name="Error">Why it did not.</param>
internal sealed record HostAnswer(ManifestHost Host, HostStatus? Status, OperatorError? Error);
