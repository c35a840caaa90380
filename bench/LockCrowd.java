import java.io.RandomAccessFile;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import org.redisson.Redisson;
import org.redisson.api.RLock;
import org.redisson.api.RedissonClient;
import org.redisson.config.Config;

/**
 * One process of a crowd of bench_locks, with Redisson's RLock, a thread for each waiter.
 *
 * <p>java LockCrowd URL KIND FILE FIRST_WAITER WAITERS HOLD_MS
 *
 * <p>FILE is what all processes map; lock_crowd.hpp says what stands where in it.
 */
public final class LockCrowd {
  private static final int READY = 0;
  private static final int GO = 8;
  private static final int STOP = 9;
  private static final int ACQUISITIONS = 16;
  private static final int HAND_OVERS = 24;
  private static final int LAST_OWNER = 32;
  private static final int INSIDE = 40;
  private static final int OVERLAPS = 48;
  private static final int LATCH_DELETIONS = 64;
  private static final int OF_WAITER = 72;
  private static final int WAITS = OF_WAITER + 8 * 256;
  private static final int BUCKETS = 640;
  private static final VarHandle LONGS =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());

  private final ByteBuffer shared;
  private final RLock lock;
  private final long holdMs;

  private LockCrowd(ByteBuffer shared, RLock lock, long holdMs) {
    this.shared = shared;
    this.lock = lock;
    this.holdMs = holdMs;
  }

  public static void main(String[] arguments) throws Exception {
    ByteBuffer shared;
    try (RandomAccessFile file = new RandomAccessFile(arguments[2], "rw")) {
      shared = file.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, file.length());
    }
    Config config = new Config();
    config.useSingleServer().setAddress(arguments[0]);
    RedissonClient redisson = Redisson.create(config);
    int first = Integer.parseInt(arguments[3]);
    int waiters = Integer.parseInt(arguments[4]);
    LockCrowd crowd = new LockCrowd(shared, redisson.getLock("bench"), Long.parseLong(arguments[5]));
    RLock warmUp = redisson.getLock("bench-warm-up");
    warmUp.lock();
    warmUp.unlock();
    crowd.add(READY, 1);
    Thread[] threads = new Thread[waiters];
    for (int i = 0; i < waiters; i++) {
      int number = first + i;
      threads[i] = new Thread(() -> crowd.comeAndGo(number));
      threads[i].start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    redisson.shutdown();
  }

  private long add(int at, long amount) {
    return (long) LONGS.getAndAdd(shared, at, amount);
  }

  private boolean isSet(int at) {
    VarHandle.fullFence();
    return shared.get(at) != 0;
  }

  private void comeAndGo(int number) {
    try {
      while (!isSet(GO)) {
        Thread.sleep(1);
      }
      while (!isSet(STOP)) {
        takeAndGiveBack(number);
      }
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }

  private void takeAndGiveBack(int number) throws InterruptedException {
    long began = System.nanoTime();
    lock.lock();
    addWait(System.nanoTime() - began);
    if (add(INSIDE, 1) != 0) {
      add(OVERLAPS, 1);
    }
    add(ACQUISITIONS, 1);
    if ((long) LONGS.getAndSet(shared, LAST_OWNER, number + 1L) != number + 1L) {
      add(HAND_OVERS, 1);
    }
    add(OF_WAITER + 8 * number, 1);
    if (holdMs > 0) {
      Thread.sleep(holdMs);
    }
    add(INSIDE, -1);
    lock.unlock();
    add(LATCH_DELETIONS, 1);
  }

  /** A sixteenth of a power of two of microseconds to a bucket. */
  private void addWait(long nanoseconds) {
    long micros = nanoseconds / 1_000;
    int bucket = (int) micros;
    if (micros >= 16) {
      int power = 64 - Long.numberOfLeadingZeros(micros) - 5;
      bucket = Math.min(16 * (power + 1) + (int) ((micros >> power) & 15), BUCKETS - 1);
    }
    add(WAITS + 8 * bucket, 1);
  }
}
