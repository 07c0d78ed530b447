using System.Security.Cryptography;
using Decant.Errors;
using Decant.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Decant.EndToEnd.Harness;

/// <summary>Calls one agent as the contract says, without the controller.</summary>
internal sealed class AgentClient(ChannelBase channel)
{
    public AgentClient(TestHost host)
        : this(host.Channel)
    {
    }

    public Releases.ReleasesClient Releases { get; } = new(channel);

    public Instances.InstancesClient Instances { get; } = new(channel);

    public V1.Operations.OperationsClient Operations { get; } = new(channel);

    public Hosts.HostsClient Hosts { get; } = new(channel);

    public Balancers.BalancersClient Balancers { get; } = new(channel);

    /// <summary>A release as an archive's bytes announce it.</summary>
    public static ReleaseRef Announce(string version, byte[] archive)
        => new() { Version = version, Digest = Convert.ToHexStringLower(SHA256.HashData(archive)) };

    public static OperationRef NewOperation(string? id = null, string deployment = "") => new()
    {
        Id = id ?? $"test/{Guid.NewGuid()}",
        DeploymentId = deployment,
    };

    /// <summary>Sends an archive from the agent's offset on.</summary>
    public async Task<UploadStatus> UploadAsync(string app, ReleaseRef release, byte[] archive, CancellationToken cancellation)
    {
        var status = await Releases.GetUploadAsync(new GetUploadRequest { App = app, Release = release }, cancellationToken: cancellation);
        if (status.Complete) return status;
        using var call = Releases.Upload(cancellationToken: cancellation);
        try
        {
            await call.RequestStream.WriteAsync(
                new UploadRequest { Header = new UploadHeader { App = app, Release = release, TotalBytes = (ulong)archive.Length, Offset = status.Offset } },
                cancellation);
            foreach (var chunk in archive.Skip((int)status.Offset).Chunk(128 * 1024))
                await call.RequestStream.WriteAsync(new UploadRequest { Data = UnsafeByteOperations.UnsafeWrap(chunk) }, cancellation);
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception exception) when (exception is RpcException or InvalidOperationException)
        {
            // The stream ended under the writer: the call's own status says why.
        }

        return await call.ResponseAsync;
    }

    /// <summary>Uploads and stages; the release may be refused at either.</summary>
    public async Task<OperationResult> StageAsync(string app, ReleaseRef release, byte[] archive, CancellationToken cancellation)
    {
        await UploadAsync(app, release, archive, cancellation);
        return await ResultAsync(
            Releases.Stage(new StageRequest { Operation = NewOperation(), App = app, Release = release }, cancellationToken: cancellation),
            cancellation);
    }

    /// <summary>Follows an operation to its end and returns its result.</summary>
    public static async Task<OperationResult> ResultAsync(AsyncServerStreamingCall<OperationEvent> call, CancellationToken cancellation)
    {
        using (call)
        {
            OperationEvent? last = null;
            await foreach (var item in call.ResponseStream.ReadAllAsync(cancellation)) last = item;
            return last!.Finished.Result;
        }
    }

    /// <summary>The error that a call ends with.</summary>
    public static async Task<OperatorError> ErrorAsync(Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (RpcException exception)
        {
            return OperatorError.FromRpc(exception);
        }

        throw new TestException("the call succeeded, and should have been refused");
    }
}
