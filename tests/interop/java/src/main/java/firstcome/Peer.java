package firstcome;

import java.util.concurrent.TimeUnit;
import org.redisson.Redisson;
import org.redisson.api.RBlockingQueue;
import org.redisson.api.RBucket;
import org.redisson.api.RLock;
import org.redisson.api.RedissonClient;
import org.redisson.client.codec.StringCodec;
import org.redisson.config.Config;

/**
 * Does what a test tells it, with Redisson's locks: java firstcome.Peer PORT NAME
 *
 * <p>Takes commands from the Redis list peer:NAME, all on one thread, and answers each with one line. Locks of Redisson
 * belong to a thread, so what is locked by one command is unlocked by another.
 */
public final class Peer {
  private static final long WATCHDOG_MS = 3_000;

  private final RedissonClient redisson;

  private Peer(RedissonClient redisson) {
    this.redisson = redisson;
  }

  public static void main(String[] arguments) throws InterruptedException {
    Config config = new Config();
    config.setLockWatchdogTimeout(WATCHDOG_MS);
    config.useSingleServer().setAddress("redis://127.0.0.1:" + arguments[0]);
    RedissonClient redisson = Redisson.create(config);
    say("ready");
    new Peer(redisson).run("peer:" + arguments[1]);
    redisson.shutdown();
  }

  private static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }

  private void run(String list) throws InterruptedException {
    RBlockingQueue<String> commands = redisson.getBlockingQueue(list, StringCodec.INSTANCE);
    while (true) {
      String command = commands.poll(1, TimeUnit.SECONDS);
      if (command == null) {
        continue;
      }
      String[] words = command.split(" ");
      if (words[0].equals("quit")) {
        return;
      }
      say(answer(words));
    }
  }

  private String answer(String[] words) {
    RLock lock = redisson.getLock(words[1]);
    switch (words[0]) {
      case "lock":
        lock.lock();
        return "locked";
      case "lock-for":
        lock.lock(Long.parseLong(words[2]), TimeUnit.MILLISECONDS);
        return "locked";
      case "try":
        return lock.tryLock() ? "locked" : "busy";
      case "unlock":
        try {
          lock.unlock();
          return "unlocked";
        } catch (IllegalMonitorStateException notMine) {
          return "not mine";
        }
      case "holds":
        return Integer.toString(lock.getHoldCount());
      case "is-locked":
        return lock.isLocked() ? "yes" : "no";
      case "increment":
        return increment(lock, words[2], Integer.parseInt(words[3]));
      default:
        return "what?";
    }
  }

  /** Answers how often it was another process that had incremented it before. */
  private String increment(RLock lock, String counter, int turns) {
    RBucket<String> value = redisson.getBucket(counter, StringCodec.INSTANCE);
    RBucket<String> last = redisson.getBucket(counter + ":last", StringCodec.INSTANCE);
    String me = redisson.getId();
    int handOvers = 0;
    for (int i = 0; i < turns; i++) {
      lock.lock();
      try {
        int seen = Integer.parseInt(value.get());
        if (!me.equals(last.get())) {
          handOvers++;
        }
        last.set(me);
        value.set(Integer.toString(seen + 1));
      } finally {
        lock.unlock();
      }
    }
    return Integer.toString(handOvers);
  }
}
