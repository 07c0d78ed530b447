using System.Net;
using System.Net.Sockets;

namespace Decant.EndToEnd.Harness;

/// <summary>
/// Loopback ports that nobody uses. Taken below the kernel's ephemeral range (32768 and up, ip_local_port_range), so that no outgoing
/// connection takes one between the look and the use; a lock file keeps parallel test runs apart.
/// </summary>
internal sealed class FreePorts : IDisposable
{
    private const int First = 20_000;
    private const int Last = 32_000;
    private readonly List<FileStream> held = [];

    public int Next()
    {
        var directory = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "decant-test-ports")).FullName;
        for (var attempt = 0; attempt < 2000; attempt++)
        {
            var port = Random.Shared.Next(First, Last);
            if (TryHold(Path.Combine(directory, $"{port}")) is not { } file) continue;
            if (IsFree(port))
            {
                held.Add(file);
                return port;
            }

            file.Dispose();
        }

        throw new InvalidOperationException("no free port found");
    }

    public void Dispose() => held.ForEach(file => file.Dispose());

    private static FileStream? TryHold(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Any, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
