using System.Net.Sockets;
using System.Runtime.InteropServices;
using Decant.Agent.Configuration;
using Decant.Errors;
using Grpc.Core;
using Grpc.Net.Client;

namespace Decant.Agent.Hosting;

/// <summary><c>decantd join</c>: gives a token to the agent that runs here, and says how it ends.</summary>
internal static class JoinProgram
{
    /// <summary>The word on the command line.</summary>
    public const string Mode = "join";

    /// <summary>Runs it.</summary>
    /// <param name="configuration">Where the agent is.</param>
    /// <param name="token">The token; null: it is read from standard input, where no list of processes shows it.</param>
    public static async Task<int> RunAsync(AgentConfiguration configuration, string? token)
    {
        if (configuration.Listen.Unix is not { } path) return Failed("listen.unix is off in agent.yml, and a host is enrolled over its unix socket; change it and restart decantd");
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Stop(context, stop));
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Stop(context, stop));
        if (token is null) Console.Error.WriteLine("token:");
        token ??= await Console.In.ReadLineAsync(stop.Token) ?? "";
        using var channel = GrpcChannel.ForAddress("http://agent", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { UseProxy = false, ConnectCallback = (_, cancellation) => SocketStream.OpenAsync(new UnixDomainSocketEndPoint(path), cancellation) },
            DisposeHttpClient = true,
        });
        try
        {
            var enrolled = false;
            using var call = new V1.Certificates.CertificatesClient(channel).Join(new V1.JoinRequest { Token = token }, cancellationToken: stop.Token);
            await foreach (var told in call.ResponseStream.ReadAllAsync(stop.Token))
            {
                if (!told.Enrolled) Console.WriteLine(told.Message);
                enrolled |= told.Enrolled;
            }

            return enrolled ? 0 : Failed("the agent did not say that it is enrolled");
        }
        catch (RpcException) when (stop.IsCancellationRequested)
        {
            return Failed("given up; the token can be used again until it expires");
        }
        catch (RpcException exception) when (exception.GetRpcStatus() is null && SocketErrorOf(exception) is { } error)
        {
            return Failed(error == SocketError.AccessDenied
                ? $"{path} may not be opened by you: run this as root"
                : $"no agent answers on {path}: start it first (systemctl start decantd)");
        }
        catch (RpcException exception)
        {
            var error = OperatorError.FromRpc(exception);
            return Failed(error.WhatNext.Length > 0 ? $"{error.Message}; {error.WhatNext}" : error.Message);
        }
    }

    private static SocketError? SocketErrorOf(RpcException exception)
    {
        for (var cause = exception.Status.DebugException; cause is not null; cause = cause.InnerException)
        {
            if (cause is SocketException socket) return socket.SocketErrorCode;
        }

        return null;
    }

    private static void Stop(PosixSignalContext context, CancellationTokenSource stop)
    {
        context.Cancel = true;
        stop.Cancel();
    }

    private static int Failed(string reason)
    {
        Console.Error.WriteLine($"decantd: {reason}");
        return 1;
    }
}
