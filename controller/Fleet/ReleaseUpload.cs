using Decant.Names;
using Decant.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Decant.Controller.Fleet;

/// <summary>Sends an archive to an agent, from where an earlier try got to.</summary>
internal static class ReleaseUpload
{
    private const int ChunkBytes = 256 * 1024;

    /// <summary>Sends what the agent does not have yet; false when it lacks something and there is no archive to send it from.</summary>
    /// <exception cref="RpcException">The agent refused, or the connection broke: asking again goes on from the last good offset.</exception>
    public static async Task<bool> SendAsync(
        CallInvoker agent, AppName app, ReleaseId release, ArchiveFile? archive, ulong token, Action<StepProgress> progress, CancellationToken cancellation)
    {
        var releases = new Releases.ReleasesClient(agent);
        var there = await releases.GetUploadAsync(
            new GetUploadRequest { App = app.Value, Release = StepCalls.Of(release) }, cancellationToken: cancellation);
        if (there.Complete || there.Staged) return true;
        if (archive is null || archive.Release != release) return false;

        using var call = releases.Upload(cancellationToken: cancellation);
        var header = new UploadHeader
        {
            App = app.Value,
            Release = StepCalls.Of(archive.Release),
            TotalBytes = (ulong)archive.Size,
            Offset = there.Offset,
            FencingToken = token,
        };
        await WriteAsync(call.RequestStream, header, archive, progress, cancellation);
        await call.ResponseAsync;
        return true;
    }

    private static async Task WriteAsync(
        IClientStreamWriter<UploadRequest> stream, UploadHeader header, ArchiveFile archive, Action<StepProgress> progress, CancellationToken cancellation)
    {
        await using var file = new FileStream(archive.Path, new FileStreamOptions
        {
            Options = FileOptions.Asynchronous | FileOptions.SequentialScan,
            BufferSize = 0,
        });
        file.Position = (long)header.Offset;
        if (!await TryWriteAsync(stream, new UploadRequest { Header = header }, cancellation)) return;
        var buffer = new byte[ChunkBytes];
        progress(new StepProgress.Upload(file.Position, archive.Size));
        for (int read; (read = await file.ReadAtLeastAsync(buffer, ChunkBytes, throwOnEndOfStream: false, cancellation)) > 0;)
        {
            // Serialised before WriteAsync returns, so the buffer may be used again.
            var data = new UploadRequest { Data = UnsafeByteOperations.UnsafeWrap(buffer.AsMemory(0, read)) };
            if (!await TryWriteAsync(stream, data, cancellation)) return;
            progress(new StepProgress.Upload(file.Position, archive.Size));
        }

        await stream.CompleteAsync();
    }

    /// <summary>False when the stream ended under the writer: the call's own status says why.</summary>
    private static async Task<bool> TryWriteAsync(IClientStreamWriter<UploadRequest> stream, UploadRequest request, CancellationToken cancellation)
    {
        try
        {
            await stream.WriteAsync(request, cancellation);
            return true;
        }
        // What a broken connection throws here depends on when it breaks.
        catch (Exception exception) when (exception is InvalidOperationException or RpcException or IOException)
        {
            return false;
        }
    }
}
