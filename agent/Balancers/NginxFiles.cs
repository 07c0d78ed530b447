using System.Text;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>The directory of upstream files: one for each backend, written whole or not at all, by one agent at a time.</summary>
internal sealed class NginxFiles(BalancerName balancer, string directory, TableTimings timings, TimeProvider time)
{
    private readonly KeyedLock turns = new();

    /// <summary>The file of a backend.</summary>
    public string PathOf(MemberName backend) => Path.Combine(directory, $"{backend}.conf");

    /// <summary>Names of the backends that have a file.</summary>
    /// <exception cref="Errors.OperatorException">BALANCER_UNREACHABLE.</exception>
    public IReadOnlyList<string> List()
    {
        try
        {
            return [.. Directory.EnumerateFiles(directory, "*.conf").Select(f => Path.GetFileNameWithoutExtension(f)).Where(n => n[0] != '.').Order(StringComparer.Ordinal)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(exception);
        }
    }

    /// <summary>Reads a backend's file.</summary>
    /// <exception cref="Errors.OperatorException">BACKEND_NOT_FOUND, CONFIG_EDITED, BALANCER_UNREACHABLE.</exception>
    public NginxUpstream Read(MemberName backend)
    {
        var file = PathOf(backend);
        try
        {
            var upstream = NginxUpstream.Parse(File.ReadAllText(file));
            return upstream.Name == backend.Value ? upstream : throw new FormatException($"has upstream {Errors.Printable.Line(upstream.Name)}, not {backend}");
        }
        catch (FileNotFoundException)
        {
            throw BalancerErrors.NoSuchBackend(
                balancer, backend, List(), $"correct the name, or write {file} (its form is in packaging/examples/nginx-shop.conf), include it in nginx's http block, and reload nginx");
        }
        catch (NginxEditedException edited)
        {
            throw BalancerErrors.Edited(balancer, file, edited.Message, "look at it; to let decantd go on from the file as it is now, delete its line \"# decant-digest: …\"");
        }
        catch (FormatException wrong)
        {
            throw BalancerErrors.Edited(balancer, file, wrong.Message, "correct it by hand; its form is in packaging/examples/nginx-shop.conf");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(exception);
        }
    }

    /// <summary>Waits for this directory, in this agent and towards another one (of which a restart may leave the last operation).</summary>
    public async Task<IDisposable> LockAsync(CancellationToken cancellation)
    {
        var turn = await turns.AcquireAsync(directory, cancellation);
        try
        {
            var begun = time.GetTimestamp();
            while (true)
            {
                try
                {
                    return new Turn(turn, new FileStream(Path.Combine(directory, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
                }
                catch (IOException held) when (held is not (DirectoryNotFoundException or FileNotFoundException))
                {
                    if (time.GetElapsedTime(begun) > timings.Answer + timings.Reload) throw Unreadable(held);
                }

                await Task.Delay(timings.Look, time, cancellation);
            }
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or IOException)
        {
            turn.Dispose();
            throw Unreadable(exception);
        }
        catch
        {
            turn.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Replaces a backend's file: after a crash or on a full disk there is the old one or the new one, never a part. The old one is kept aside
    /// for <see cref="Restore"/>, which then needs no room on the disk.
    /// </summary>
    /// <exception cref="Errors.OperatorException">BALANCER_REFUSED: the file is as it was.</exception>
    public void Write(MemberName backend, string text)
    {
        var file = PathOf(backend);
        try
        {
            File.Copy(file, Old(backend), overwrite: true);
            Replace(file, Path.Combine(directory, $".{backend}.conf.new"), text);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw BalancerErrors.ConfigurationRefused(
                balancer, $"{file} cannot be written", exception.Message, "the file and nginx are as they were", "make room on its file system, or let the agent write there");
        }
    }

    /// <summary>Puts the file back that <see cref="Write"/> replaced.</summary>
    public void Restore(MemberName backend)
    {
        File.Move(Old(backend), PathOf(backend), overwrite: true);
        DirectorySync.FlushEntries(directory);
    }

    /// <summary>Whether nginx is known to have loaded a backend's file as it is.</summary>
    public bool IsLive(MemberName backend, NginxUpstream upstream)
    {
        try
        {
            return File.ReadAllText(LiveMark(backend)) == upstream.Fingerprint;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>What nginx has loaded is not known until the next <see cref="MarkLive"/>.</summary>
    public void ForgetLive(MemberName backend) => File.Delete(LiveMark(backend));

    /// <summary>Remembers that nginx has loaded it. When that cannot be written nginx is reloaded once more another time.</summary>
    public void MarkLive(MemberName backend, NginxUpstream upstream)
    {
        try
        {
            Replace(LiveMark(backend), LiveMark(backend) + ".new", upstream.Fingerprint);
            File.Delete(Old(backend));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // As the summary says.
        }
    }

    private string LiveMark(MemberName backend) => Path.Combine(directory, $".{backend}.live");

    private string Old(MemberName backend) => Path.Combine(directory, $".{backend}.conf.old");

    private void Replace(string file, string temporary, string text)
    {
        try
        {
            using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                if (File.Exists(file)) File.SetUnixFileMode(stream.SafeFileHandle, File.GetUnixFileMode(file));
                stream.Write(Encoding.UTF8.GetBytes(text));
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, file, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }

        DirectorySync.FlushEntries(directory);
    }

    private Errors.OperatorException Unreadable(Exception exception)
        => BalancerErrors.Unreachable(balancer, exception.Message, $"see whether {directory} is there and the agent may read and write in it", exception);

    private sealed class Turn(IDisposable turn, FileStream file) : IDisposable
    {
        public void Dispose()
        {
            file.Dispose();
            turn.Dispose();
        }
    }
}
