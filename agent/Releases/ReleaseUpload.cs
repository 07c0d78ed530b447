using System.Buffers;
using System.Security.Cryptography;
using Decant.Agent.State;
using Decant.Names;
using Microsoft.Win32.SafeHandles;

namespace Decant.Agent.Releases;

/// <summary>
/// One archive being received, by one writer. Bytes count as safe when they were flushed to the disk; disposing flushes what came and
/// keeps it, so that the next upload goes on from there.
/// </summary>
internal sealed class ReleaseUpload : IAsyncDisposable
{
    private const int FlushEvery = 8 << 20;
    private const int ReadSize = 1 << 20;

    private readonly ReleaseUploads owner;
    private readonly SafeFileHandle file;
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private Task flushing = Task.CompletedTask;
    private long written;
    private long safe;
    private bool ended;

    private ReleaseUpload(ReleaseUploads owner, AppName app, Sha256Digest digest, long totalBytes, SafeFileHandle file)
    {
        this.owner = owner;
        this.file = file;
        (App, Digest, TotalBytes) = (app, digest, totalBytes);
        written = safe = RandomAccess.GetLength(file);
    }

    /// <summary>The app.</summary>
    public AppName App { get; }

    /// <summary>As announced.</summary>
    public Sha256Digest Digest { get; }

    /// <summary>Size of the whole archive, as announced.</summary>
    public long TotalBytes { get; }

    /// <summary>Bytes received, safe or not.</summary>
    public long Written => written;

    /// <summary>Bytes safely on disk.</summary>
    public long Safe => Interlocked.Read(ref safe);

    /// <summary>Opens an upload and hashes what is there of it already.</summary>
    public static async Task<ReleaseUpload> OpenAsync(
        ReleaseUploads owner, AppName app, Sha256Digest digest, long totalBytes, SafeFileHandle file, CancellationToken cancellation)
    {
        var upload = new ReleaseUpload(owner, app, digest, totalBytes, file);
        var buffer = ArrayPool<byte>.Shared.Rent(ReadSize);
        try
        {
            for (long offset = 0; offset < upload.written;)
            {
                var read = await RandomAccess.ReadAsync(file, buffer, offset, cancellation);
                if (read == 0) throw new IOException($"the partial upload of {digest.Prefix} shrank while it was read");
                upload.hash.AppendData(buffer.AsSpan(0, read));
                offset += read;
            }

            return upload;
        }
        catch
        {
            upload.hash.Dispose();
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Takes the next bytes.</summary>
    public async Task WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellation)
    {
        if (data.Length > TotalBytes - written) throw ReleaseErrors.MoreThanAnnounced(TotalBytes);
        try
        {
            // Hashing and writing one piece at the same time; the file gets no byte that is not hashed.
            var writing = RandomAccess.WriteAsync(file, data, written, CancellationToken.None);
            hash.AppendData(data.Span);
            await writing;
            written += data.Length;
            if (written - Safe < FlushEvery || !flushing.IsCompleted) return;
            // A flush runs beside the next writes; one at a time, and its failure ends the upload.
            await flushing;
            flushing = FlushAsync(written);
        }
        catch (IOException exception) when (exception.IsDiskFull())
        {
            // What came would keep the disk full, and with it this host's journal and logs.
            var received = written;
            await EndAsync();
            owner.Discard(this, "the disk is full");
            throw ReleaseErrors.DiskFull($"no space left for the upload of {Digest.Prefix} after {received} bytes; they are deleted", exception);
        }

        cancellation.ThrowIfCancellationRequested();
    }

    /// <summary>Verifies the digest and makes the archive available for staging, if all its bytes are here.</summary>
    /// <returns>False when bytes are missing still.</returns>
    public async Task<bool> TryCompleteAsync()
    {
        if (written < TotalBytes) return false;
        var actual = Sha256Digest.FromHash(hash.GetCurrentHash());
        if (actual != Digest)
        {
            await EndAsync();
            owner.Discard(this, "its bytes have another digest");
            throw ReleaseErrors.WrongDigest(Digest, actual);
        }

        await EndAsync();
        owner.Publish(this);
        return true;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await EndAsync();
        }
        finally
        {
            owner.Release(this);
        }
    }

    private async Task EndAsync()
    {
        if (ended) return;
        ended = true;
        try
        {
            await flushing;
            await FlushAsync(written);
            // A write that failed half may have left bytes that are not counted.
            if (RandomAccess.GetLength(file) > written) RandomAccess.SetLength(file, written);
        }
        finally
        {
            file.Dispose();
            hash.Dispose();
        }
    }

    private Task FlushAsync(long upTo) => Task.Run(() =>
    {
        if (upTo > Safe) RandomAccess.FlushToDisk(file);
        Interlocked.Exchange(ref safe, upTo);
    });
}
