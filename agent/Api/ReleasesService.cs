using Decant.Agent.Leases;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Agent.State;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>decant.v1.Releases: uploads, and operations on the release store.</summary>
internal sealed class ReleasesService(
    ReleaseStore store,
    ReleaseUploads uploads,
    IReleaseUse use,
    LeaseBook leases,
    AgentDatabase database,
    IHostApplicationLifetime lifetime,
    OperationCalls calls) : V1.Releases.ReleasesBase
{
    private const int MaxPiece = 1 << 20;

    /// <inheritdoc/>
    public override Task<V1.UploadStatus> GetUpload(V1.GetUploadRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var app = reader.Required<AppName>("app", request.App, AppName.TryParse);
        var release = reader.Release("release", request.Release);
        reader.ThrowIfWrong();
        return Task.FromResult(StatusOf(app, release));
    }

    /// <inheritdoc/>
    public override async Task<V1.UploadStatus> Upload(IAsyncStreamReader<V1.UploadRequest> requestStream, ServerCallContext context)
    {
        database.ThrowIfReadOnly();
        // Ends with the caller or with the agent; what came is kept either way.
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        var cancellation = end.Token;
        if (!await requestStream.MoveNext(cancellation) || requestStream.Current.Header is not { } header)
            throw Wrong("header", "the first message must be the header");
        var (app, release, token) = Read(header);
        leases.Check(app, token, LeaseRule.Respects);
        if (StatusOf(app, release) is { Complete: true } complete) return complete;

        await using (var upload = await uploads.BeginAsync(app, release.Digest, (long)header.TotalBytes, (long)header.Offset, cancellation))
        {
            while (await requestStream.MoveNext(cancellation))
            {
                if (requestStream.Current is not { ContentCase: V1.UploadRequest.ContentOneofCase.Data, Data: { Length: <= MaxPiece } data })
                    throw Wrong("data", $"after the header come pieces of at most {MaxPiece} bytes");
                await upload.WriteAsync(data.Memory, cancellation);
            }

            await upload.TryCompleteAsync();
        }

        return StatusOf(app, release);
    }

    /// <inheritdoc/>
    public override Task Stage(V1.StageRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var app = reader.Required<AppName>("app", request.App, AppName.TryParse);
        var release = reader.Release("release", request.Release);
        // No turn of the app's: nothing runs it yet, and two stages of one release take turns in the store.
        var operation = reader.Operation(
            request, request.Operation, OperationKind.Stage, new OperationSubject(app, Release: release), exclusive: null);
        reader.ThrowIfWrong();
        return calls.RunAsync(
            operation, async (report, stop) => await store.StageAsync(app, release, report.Message, stop), responseStream, context);
    }

    /// <inheritdoc/>
    public override Task<V1.ListReleasesResponse> ListReleases(V1.ListReleasesRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var app = reader.Optional<AppName>("app", request.App, AppName.TryParse);
        reader.ThrowIfWrong();
        return Task.FromResult(new V1.ListReleasesResponse { Releases = { store.List(app).Select(r => ReleaseMapping.ToMessage(r, use)) } });
    }

    /// <inheritdoc/>
    public override Task<V1.Release> GetRelease(V1.GetReleaseRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var (app, version, digest) = Named(reader, request.App, request.Release);
        reader.ThrowIfWrong();
        return Task.FromResult(ReleaseMapping.ToMessage(store.Get(app, version, digest), use));
    }

    /// <inheritdoc/>
    public override Task RemoveRelease(
        V1.RemoveReleaseRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var (app, version, digest) = Named(reader, request.App, request.Release);
        var subject = new OperationSubject(app, Release: digest is null ? null : new ReleaseId(version, digest));
        var operation = reader.Operation(request, request.Operation, OperationKind.RemoveRelease, subject, $"app/{app}");
        reader.ThrowIfWrong();
        return calls.RunAsync(
            operation, async (_, stop) => await store.RemoveAsync(app, version, digest, stop), responseStream, context);
    }

    /// <inheritdoc/>
    public override Task PruneReleases(
        V1.PruneReleasesRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var app = reader.Required<AppName>("app", request.App, AppName.TryParse);
        if (request.Keep is 0 or > 1000) reader.Wrong("keep", $"{request.Keep} is not within 1 to 1000");
        var operation = reader.Operation(request, request.Operation, OperationKind.PruneReleases, new OperationSubject(app), $"app/{app}");
        reader.ThrowIfWrong();
        return calls.RunAsync(
            operation, async (report, stop) => await store.PruneAsync(app, (int)request.Keep, report.Message, stop), responseStream, context);
    }

    private static OperatorException Wrong(string field, string reason) => new(OperatorError.BadRequest([new FieldError(field, reason)]));

    private static (AppName App, ReleaseId Release, FencingToken? Token) Read(V1.UploadHeader header)
    {
        var reader = new RequestReader();
        var app = reader.Required<AppName>("header.app", header.App, AppName.TryParse);
        var release = reader.Release("header.release", header.Release);
        if (header.TotalBytes is 0 or > long.MaxValue) reader.Wrong("header.total_bytes", "say the size of the whole archive");
        if (header.Offset > header.TotalBytes) reader.Wrong("header.offset", $"{header.Offset} is behind the end of the archive");
        var token = reader.Token("header.fencing_token", header.FencingToken);
        reader.ThrowIfWrong();
        return (app, release, token);
    }

    private static (AppName App, ReleaseVersion Version, Sha256Digest? Digest) Named(RequestReader reader, string app, V1.ReleaseRef? release) => (
        reader.Required<AppName>("app", app, AppName.TryParse),
        reader.Required<ReleaseVersion>("release.version", release?.Version, ReleaseVersion.TryParse),
        reader.Optional<Sha256Digest>("release.digest", release?.Digest, Sha256Digest.TryParse));

    private V1.UploadStatus StatusOf(AppName app, ReleaseId release)
    {
        var staged = store.TryGet(app, release) is not null;
        var (offset, complete) = uploads.Find(app, release.Digest);
        return new V1.UploadStatus { Offset = (ulong)offset, Complete = staged || complete, Staged = staged };
    }
}
